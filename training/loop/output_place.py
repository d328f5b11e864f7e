"""Checks before long work that its result can be written."""

import errno
import os
import tempfile
from pathlib import Path

PROBE_BYTES = 1024  # a full disk still takes empty files


def check_folder(path: Path) -> None:
    """Check that a folder is there or can be made, and takes files; makes nothing.

    Raises:
        OSError: if not, with the path.
    """
    if path.is_symlink() and not path.exists():
        raise OSError(errno.ENOENT, "it is a link that leads nowhere", str(path))
    place = path.absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise OSError(errno.ENOTDIR, "it is no folder", str(place))
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(PROBE_BYTES))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_file(path: Path) -> None:
    """Check that a file can be written at a place; a file that is there is left alone.

    Raises:
        OSError: if not, with the path.
    """
    if path.is_dir():
        raise OSError(errno.EISDIR, "it is a folder", str(path))
    if not path.exists() or path.is_file():
        check_folder(Path(os.path.realpath(path)).parent)
