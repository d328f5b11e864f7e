"""How commands behave at a terminal: they print any text anywhere, and stop without a fuss."""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import FrameType

from var_core.exit_codes import EXIT_CLOSED_PIPE, EXIT_INTERRUPTED

LOADING_PAUSE = 2.0  # seconds between two lines while modules are loaded
_is_loaded = threading.Event()


def be_quiet_while_loading() -> None:
    """Let Ctrl-C end this process at once, until `run_quietly` takes over.

    For the first lines of a command: there is nothing to clean up while its modules are loaded.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(EXIT_INTERRUPTED)


def tell_while_loading() -> None:
    """Print a line every other second, until `run_quietly` takes over.

    For the first lines of a long command, whose modules take seconds to load.
    """
    threading.Thread(target=_tell, args=(monotonic(),), daemon=True).start()


def _tell(began: float) -> None:
    with suppress(OSError, ValueError):  # where nobody reads it
        while sys.stderr is not None and not _is_loaded.wait(LOADING_PAUSE):
            print(f"loading: {monotonic() - began:.0f} s so far", file=sys.stderr, flush=True)


def run_quietly(work: Callable[[], int]) -> int:
    """Run a command; letters that an output does not know are escaped.

    Args:
        work: the command; returns its exit code, lets a BrokenPipeError pass.

    Returns:
        That exit code, 130 after Ctrl-C, or 141 if nobody reads the output any more.
    """
    _is_loaded.set()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            return work()
        finally:
            if sys.stdout is not None:  # it is None after `>&-`
                sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # what is left in the buffer is written when Python ends, and would fail again
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
