"""A sign of life: the bar ticks on, or lines say what is done where there is no terminal."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NoReturn

from tqdm import tqdm

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds between two looks of a bar
FIRST_PAUSE = 1.5  # seconds before the first line where there is no terminal
SHORTEST_PAUSE = 3.0  # seconds between two lines there
LATER_PAUSE = 1 / 500  # of the time so far, so that long runs fill no pages


class Heartbeat:
    """Keeps a bar ticking; where there is no terminal, a line every few seconds stands for it.

    Args:
        bar: bar whose time goes on, and which says what is done.
        usual: how far the usual is, for a line; None says nothing of it.
    """

    def __init__(self, bar: "tqdm[NoReturn]", usual: Callable[[], str] | None = None) -> None:
        self.bar = bar
        self._usual = usual or str
        self._what, self._done = "", ""
        self._began = self._since = monotonic()
        self._next_line = self._began + FIRST_PAUSE
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def start(self, what: str) -> None:
        """Say what is done from now on; "" for the usual, which is visible by itself."""
        self._what, self._since, self._done = what, monotonic(), ""
        self.bar.set_description_str(what)

    def note(self, done: str) -> None:
        """Say how far it is, in the lines; a bar shows that itself."""
        self._done = f" ({done})"

    def close(self) -> None:
        """Stop ticking."""
        self._is_closed.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._is_closed.wait(TICK):
            self.bar.refresh()
            now = monotonic()
            if self.bar.disable and now >= self._next_line and (line := self._line(now)):
                logger.info(line)
                self._next_line = now + max(SHORTEST_PAUSE, LATER_PAUSE * (now - self._began))

    def _line(self, now: float) -> str:
        if self._what:
            return f"{self._what}: {now - self._since:.0f} s so far{self._done}"
        return self._usual()


@contextmanager
def busy(what: str, is_shown: bool = True) -> Iterator[None]:
    """Show that something is done whose length is unknown, while the block runs.

    Args:
        what: what is done, as "opening pictures".
        is_shown: whether this process shows it.
    """
    if not is_shown:
        yield
        return
    layout = "{desc}: {elapsed}"
    with tqdm(desc=what, bar_format=layout, leave=False, disable=None) as bar:
        heartbeat = Heartbeat(bar)
        heartbeat.start(what)
        try:
            yield
        finally:
            heartbeat.close()


@contextmanager
def counting(
    what: str, total: int, unit: str, is_shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """A bar that ticks on by itself, or lines that say how far it is.

    Args:
        what: what is done, as "drawing".
        total: how many there are.
        unit: name of one of them.
        is_shown: whether this process shows it.

    Yields:
        A function that takes how many are done.
    """
    if not is_shown:
        yield lambda _: None
        return
    done = 0
    with tqdm(total=total, desc=what, unit=unit, disable=None) as bar:
        heartbeat = Heartbeat(bar, lambda: f"{what}: {done:,} of {total:,} {unit}s")

        def reach(count: int) -> None:
            nonlocal done
            done = count
            bar.update(count - bar.n)

        try:
            yield reach
        finally:
            heartbeat.close()
