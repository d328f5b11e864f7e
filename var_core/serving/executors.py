"""All drawing of a process in one thread, whoever asks.

OpenMP gives every thread that multiplies a team of its own. As soon as all teams together have more
threads than the machine has cores, those of GNU's OpenMP no longer spin while they wait, but sleep,
and each product pays for waking them: a small model then takes twice as long to draw. A server's
handlers run in many threads.
"""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
END = object()


class OneThread:
    """Runs what it is given in a thread of its own, in the order of asking."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "draw", initializer=self._begin)
        self._ident: int | None = None

    def _begin(self) -> None:
        self._ident = threading.get_ident()

    def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """The result of a call; an exception is raised here as it was there."""
        if threading.get_ident() == self._ident:  # who waits for itself waits forever
            return work(*arguments)
        return self._executor.submit(work, *arguments).result()

    def brings(self, work: Callable) -> Callable:
        """A function or generator function that runs there; between yields others have a turn."""
        if inspect.isgeneratorfunction(work):
            return functools.partial(self._iterate, work)
        return functools.partial(self.run, work)

    def _iterate(self, work: Callable[..., Iterator], *arguments: object) -> Iterator:
        steps = work(*arguments)
        try:
            while (step := self.run(next, steps, END)) is not END:
                yield step
        finally:
            self.run(steps.close)


ONE_THREAD = OneThread()
