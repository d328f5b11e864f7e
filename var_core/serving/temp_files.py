"""The folder for uploads and finished pictures: bounded, and swept even after a crash."""

import contextlib
import os
import shutil
import stat
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from var_core.serving.metrics import LOGGER

PREFIX = "var-studio-"
LOCK = ".lock"
MAX_BYTES = 1 << 30
MAX_AGE_SECONDS = 6 * 3600
ROUND_SECONDS = 60
BLOCK_BYTES = 4096  # files take whole blocks of a disk
STAT_BLOCK_BYTES = 512  # of the counts that the system gives
ENTRY_BYTES = 1024  # of the disk, for the name and the properties of a file or folder


class TempFolder:
    """A folder of this process alone.

    It is removed at the end; folders that killed processes left behind are removed at the start.

    Args:
        parent: folder to make it in; None takes the system's folder for temporary files.
        max_bytes: room on the disk for all files and folders together; the oldest files are deleted
            first.
        max_age: age of the oldest file in seconds.

    Attributes:
        folder: the folder.
        pictures: folder in it for uploads and finished pictures.
    """

    def __init__(
        self,
        parent: Path | None = None,
        max_bytes: int = MAX_BYTES,
        max_age: float = MAX_AGE_SECONDS,
    ) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        for left in parent.glob(f"{PREFIX}*"):
            _remove_if_dead(left)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self.pictures = self.folder / "pictures"
        self.pictures.mkdir()
        self.max_bytes = max_bytes
        self.max_age = max_age
        self._lock = FileLock(self.folder / LOCK)
        self._lock.acquire()
        self._ended = threading.Event()

    def __enter__(self) -> "TempFolder":
        threading.Thread(target=self._rounds, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def size(self) -> int:
        """Bytes on the disk of all files and folders."""
        return sum(entry.size for entry in self._entries())

    def sweep(self) -> None:
        """Delete old files, the oldest files above the limit, and empty folders."""
        entries = sorted(self._entries(), key=lambda entry: entry.changed)
        total = sum(entry.size for entry in entries)
        for one in entries:
            if total <= self.max_bytes and time.time() - one.changed <= self.max_age:
                break
            if not one.is_folder:
                one.path.unlink(missing_ok=True)
                total -= one.size
        for one in sorted(entries, key=lambda entry: len(entry.path.parts), reverse=True):
            if one.is_folder and one.path != self.pictures:
                _remove_if_empty(one, self.max_age)

    def _rounds(self) -> None:
        while not self._ended.wait(ROUND_SECONDS):
            try:
                self.sweep()
            except OSError as error:
                LOGGER.warning("sweep", extra={"fields": {"kind": type(error).__name__}})

    def _entries(self) -> list["_Entry"]:
        """All files but the lock, and all folders."""
        found = []
        for folder, folders, names in os.walk(self.folder):
            for name in (*folders, *names):
                path = Path(folder) / name
                try:
                    state = path.lstat()
                except FileNotFoundError:  # deleted in the meantime
                    continue
                if path != self.folder / LOCK:
                    size = max(state.st_size, state.st_blocks * STAT_BLOCK_BYTES) + ENTRY_BYTES
                    found.append(_Entry(path, stat.S_ISDIR(state.st_mode), state.st_mtime, size))
        return found


@dataclass(frozen=True)
class _Entry:
    """A file or folder.

    Attributes:
        path: its path.
        is_folder: whether it is a folder.
        changed: time of the last change.
        size: bytes that it takes on the disk.
    """

    path: Path
    is_folder: bool
    changed: float
    size: int


def _remove_if_empty(folder: _Entry, max_age: float) -> None:
    """Remove an empty folder, unless it is new: somebody may be about to write into it."""
    if time.time() - folder.changed > min(max_age, ROUND_SECONDS):
        with contextlib.suppress(OSError):
            folder.path.rmdir()


def _remove_if_dead(folder: Path) -> None:
    """Remove the folder of a process that no longer holds its lock."""
    try:
        if (folder / LOCK).is_file():  # else it is not one of ours
            with FileLock(folder / LOCK, blocking=False):
                shutil.rmtree(folder, ignore_errors=True)
    except (Timeout, OSError):  # somebody holds it, or it is another user's
        return
