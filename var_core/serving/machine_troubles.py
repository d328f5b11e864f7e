"""What goes wrong with the machine under a server: in true words, and as a sign to its host."""

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

RECOVERY_SECONDS = 30.0  # after a trouble, before the server counts as ready again
MIN_FREE_BYTES = 32_000_000  # uploads and results need some room
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_HANDLES = (errno.EMFILE, errno.ENFILE)
MISNAMED = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL)
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "can't start new thread",
    "could not create a primitive",  # of oneDNN, whose error does not tell why
    "could not create a memory object",
)
NO_MEMORY_HERE = "out of memory: end other programs, or take a smaller model or fewer pictures"


class ModelGoneError(Exception):
    """The model that a job needs can no longer be loaded."""


def words_for(error: BaseException) -> str | None:
    """One sentence for the visitor, without paths; None if the machine is not to blame."""
    if isinstance(error, ModelGoneError):
        return "The model cannot be loaded on this server at the moment. Try again later."
    if is_memory(error):
        return "This server is out of memory. Try again in a minute, or with a smaller picture."
    if not isinstance(error, OSError) or error.errno is None or is_misnamed(error):
        return None
    if error.errno in NO_ROOM:
        return "The disk of this server is full: nothing can be saved. Try again later."
    if error.errno in NO_HANDLES:
        return "Too many visitors use this server at once. Try again in a minute."
    return f"This server cannot read or write its files: {error.strerror}. Try again later."


def is_misnamed(error: BaseException) -> bool:
    """Whether somebody named a file that there cannot be: too long a name, below another file."""
    if isinstance(error, OSError):
        return error.errno in MISNAMED
    return isinstance(error, ValueError) and "embedded null" in str(error)


def is_memory(error: BaseException) -> bool:
    """Whether memory has run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


class Health:
    """Whether the machine is well enough for more work.

    Args:
        clock: function that returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    def note(self, error: BaseException) -> None:
        """Remember an error, if the machine is to blame."""
        if words_for(error) is not None:
            self._until = self._clock() + RECOVERY_SECONDS

    def is_well(self, folder: Path) -> bool:
        """Whether there was no trouble lately, and there is room in the folder for pictures."""
        try:
            has_room = shutil.disk_usage(folder).free >= MIN_FREE_BYTES
        except OSError:
            has_room = False
        return has_room and self._clock() >= self._until
