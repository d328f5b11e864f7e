"""Ends a server in an orderly way: what is being drawn is finished, then everything is removed.

Hosts kill a process some seconds after they asked it to end. Where that is later than usual,
`VAR_STUDIO_DRAIN_SECONDS` gives drawings more time.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from var_core.ranges import check_float

SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # of hosts, and of terminals that close
VARIABLE = "VAR_STUDIO_DRAIN_SECONDS"
DRAIN_SECONDS = 10.0  # hosts kill a process some 10 to 30 seconds after they asked it to end
MAX_DRAIN_SECONDS = 3600.0
LAST_WORDS_SECONDS = 0.5  # for results that are on their way to visitors


@contextmanager
def ending_at_signals() -> Iterator[None]:
    """Turn signals to end into a SystemExit of the main thread, so that all is cleaned up.

    A signal that is ignored, as under nohup, stays so.
    """
    before = {
        number: signal.getsignal(number)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def drain_seconds() -> float:
    """Time for what is under way when a signal comes, in seconds.

    Raises:
        ValueError: if the environment variable holds no such time.
    """
    told = os.environ.get(VARIABLE)
    if told is None:
        return DRAIN_SECONDS
    try:
        seconds: object = float(told)
    except ValueError:
        seconds = told
    return check_float(VARIABLE, seconds, 0, MAX_DRAIN_SECONDS)


def wait_for_signal(drain: Callable[[float], None], seconds: float) -> None:
    """Wait until a signal or Ctrl-C ends this; then drain, unless a second one comes.

    Args:
        drain: finishes what is under way, in at most so many seconds.
        seconds: time for that.
    """
    with suppress(KeyboardInterrupt, SystemExit):
        threading.Event().wait()
    with suppress(KeyboardInterrupt, SystemExit):
        drain(seconds)


def wait_until(is_done: Callable[[], bool], seconds: float) -> None:
    """Wait for a state, for at most some seconds, and then for results to reach their readers."""
    deadline = time.monotonic() + seconds
    while not is_done() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(min(LAST_WORDS_SECONDS, max(0.0, deadline - time.monotonic())))


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
