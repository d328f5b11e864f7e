"""Whether processes that tests watch are still there."""

import psutil


def is_alive(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has asked how it ended has."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
