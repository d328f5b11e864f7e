"""Runs a generator ahead of whoever reads it, so that a slow reader holds nothing up."""

import contextlib
import contextvars
import threading
from collections.abc import Generator
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")


def run_ahead(steps: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """The items of a generator that runs at its own pace, in a thread of its own.

    Closing this ends the generator after its current step; nobody waits for that. An error of the
    generator is raised here, after the items before it.

    Args:
        steps: a generator of few items; those that nobody has read yet are kept.

    Raises:
        RuntimeError: at once, if no thread can be started; the generator has not begun then.
    """
    found: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()
    is_left = threading.Event()

    def run() -> None:
        try:
            with contextlib.closing(steps):
                for item in steps:
                    found.put((item,))
                    if is_left.is_set():
                        break
        except BaseException as error:  # raised again where the items are read
            found.put(error)
        else:
            found.put(None)

    context = contextvars.copy_context()  # holds whose request this is, for a lent GPU
    threading.Thread(target=context.run, args=(run,), name="run ahead", daemon=True).start()
    return _until_left(found, is_left)


def _until_left(
    found: SimpleQueue[tuple[Item] | BaseException | None], is_left: threading.Event
) -> Generator[Item, None, None]:
    """As `items_of`; tells when it is closed."""
    try:
        yield from items_of(found)
    finally:
        is_left.set()


def items_of(
    found: SimpleQueue[tuple[Item] | BaseException | None],
) -> Generator[Item, None, None]:
    """What another thread puts into a queue: items in tuples, then None; an error is raised."""
    while (item := found.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item[0]
