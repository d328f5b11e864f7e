"""How commands behave at a terminal: they print any text anywhere, and stop without a fuss."""

import io
import sys
from collections.abc import Callable

from var_core.exit_codes import EXIT_INTERRUPTED


def run_quietly(work: Callable[[], int]) -> int:
    """Run a command; letters that an output does not know are escaped.

    Args:
        work: the command; returns its exit code.

    Returns:
        That exit code, or 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return work()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
