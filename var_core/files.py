"""Files and folders that appear whole or not at all, and the hash of a file."""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write a file to; at the end of the block it takes the place of `path`.

    Missing folders are made. After an error the temporary file is gone, and `path` is as it was.
    A file that was there passes its permissions on; a link stays, and what it leads to is replaced.
    What is no regular file, such as a device or a pipe, gets the content.

    Raises:
        OSError: if there is no space or no permission.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if is_special(path):
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / "content")
            try:
                with temporary.open("rb") as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
            except OSError as error:  # writing itself names no file
                error.filename = error.filename or str(path)
                raise
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")  # short, whatever the name
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    try:  # never more open than the file before
        first = 0o666 if mode is None else mode | stat.S_IWUSR
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, first))
        if mode is None:
            mode = stat.S_IMODE(temporary.stat().st_mode)  # what the process lets a new file have
        yield temporary
        temporary.chmod(mode)  # safetensors leaves a file to its maker alone
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def is_special(path: Path) -> bool:
    """Whether a path leads to something that is no regular file and no folder, as /dev/stdout."""
    in_system = any(str(parent) in ("/dev", "/proc") for parent in path.absolute().parents)
    return path.exists() and not path.is_dir() and (in_system or not path.is_file())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file in one step; missing folders are made.

    Raises:
        OSError: if there is no space or no permission.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; at the end of the block it is renamed to `path`, a new folder.

    After an error the temporary folder is gone.

    Raises:
        OSError: if there is no space or no permission, or `path` exists and is not empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
