"""A sign of life while something takes long: the bar ticks on, or lines say what is done."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NoReturn

from tqdm import tqdm

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds between two looks of a bar
FIRST_LINE = 5.0  # seconds until the first line where there is no terminal; then twice as long
LONGEST_PAUSE = 300.0  # seconds between two lines


class Heartbeat:
    """Keeps a bar ticking; where there is no terminal, lines tell what takes long.

    Args:
        bar: bar whose time goes on, and which says what is done.
    """

    def __init__(self, bar: "tqdm[NoReturn]") -> None:
        self.bar = bar
        self._what, self._since, self._next_line = "", monotonic(), FIRST_LINE
        self._done = ""
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def start(self, what: str) -> None:
        """Say what is done from now on; "" for the usual, which is visible by itself."""
        self._what, self._since, self._next_line = what, monotonic(), FIRST_LINE
        self._done = ""
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
            seconds = monotonic() - self._since
            if self.bar.disable and self._what and seconds >= self._next_line:
                logger.info("%s: %.0f s so far%s", self._what, seconds, self._done)
                self._next_line = min(2 * seconds, seconds + LONGEST_PAUSE)


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
