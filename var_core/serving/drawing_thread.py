"""One of the threads that draw, and the work that waits for it."""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

import torch

from var_core.serving.run_ahead import items_of

Result = TypeVar("Result")


class DrawingThread:
    """A thread that draws, step by step, and the work that waits for it.

    A drawing goes from step to step by itself, ahead of whoever reads it: a step that had to be
    asked for would cost the way to the other thread and back, while cores stand idle. As soon as
    other work waits, that comes first.

    Args:
        cores_of: function that returns how many cores the thread may use now.

    Attributes:
        num_jobs: jobs that run or wait here; whoever sends them counts.
        num_waiting: calls and steps that wait.
    """

    def __init__(self, cores_of: Callable[["DrawingThread"], int]) -> None:
        self.num_jobs = 0
        self.num_waiting = 0
        self._cores_of = cores_of
        self._pool = ThreadPoolExecutor(1, "draw", initializer=self._begin)
        self._ident: int | None = None
        self._lock = threading.Lock()

    def _begin(self) -> None:
        self._ident = threading.get_ident()

    def is_here(self) -> bool:
        """Whether the caller is in this thread."""
        return threading.get_ident() == self._ident

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Call a function in the thread, after what waits there already."""

        def begin() -> Result:
            with self._lock:
                self.num_waiting -= 1
            torch.set_num_threads(self._cores_of(self))
            return work()

        with self._lock:  # whoever is counted is in the queue
            self.num_waiting += 1
            return self._pool.submit(begin)

    def iterate(self, steps: Generator[Result, None, None]) -> Generator[Result, None, None]:
        """A generator whose steps run in the thread, and which is closed there.

        At most the step in progress is finished once it is closed.
        """
        found: SimpleQueue[tuple[Result] | BaseException | None] = SimpleQueue()
        is_left = threading.Event()

        def go_on() -> None:
            try:
                while not is_left.is_set():
                    torch.set_num_threads(self._cores_of(self))
                    step = _next(steps)
                    found.put(step)
                    if step is None:
                        return
                    if self.num_waiting:
                        self.submit(go_on)
                        return
            except BaseException as error:
                found.put(error)

        try:
            self.submit(go_on)
            yield from items_of(found)
        finally:
            is_left.set()
            self.submit(steps.close).result()


def _next(steps: Iterator[Result]) -> tuple[Result] | None:
    """The next step in a tuple; None at the end."""
    for step in steps:
        return (step,)
    return None
