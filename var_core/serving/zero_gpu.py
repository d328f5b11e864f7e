"""Hugging Face ZeroGPU: a GPU for the seconds of one call, where the host lends one."""

from collections.abc import Callable

try:
    import spaces
except ImportError:  # not on a Space, or on one with hardware of its own
    spaces = None

IS_LENT = spaces is not None and spaces.config.Config.zero_gpu  # this host lends one per call
SECONDS = 15  # asked for per call; short requests are served first


def on_gpu(work: Callable) -> Callable:
    """Run a function or a generator function where a lent GPU is; only where one is lent.

    ZeroGPU runs it in a forked process: arguments, yields and results are pickled, so they must
    be plain or CPU data, and what the function changes outside is lost.
    """
    return spaces.GPU(duration=SECONDS)(work)
