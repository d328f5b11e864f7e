"""The folder for uploads and finished pictures: bounded, and swept even after a crash."""

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from var_core.serving.metrics import LOGGER

PREFIX = "var-studio-"
LOCK = ".lock"
MAX_BYTES = 1 << 30
MAX_AGE_SECONDS = 6 * 3600
ROUND_SECONDS = 60


class TempFolder:
    """A folder of this process alone.

    It is removed at the end; folders that killed processes left behind are removed at the start.

    Args:
        parent: folder to make it in; None takes the system's folder for temporary files.
        max_bytes: size of all files together; the oldest files are deleted first.
        max_age: age of the oldest file in seconds.
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
        """Size of all files in bytes."""
        return sum(size for _, size, _ in self._files())

    def sweep(self) -> None:
        """Delete old files, the oldest files above the limit, and empty folders."""
        files = sorted(self._files(), key=lambda file: file[0])
        total = sum(size for _, size, _ in files)
        for changed, size, path in files:
            if total <= self.max_bytes and time.time() - changed <= self.max_age:
                break
            path.unlink(missing_ok=True)
            total -= size
        for folder, _, _ in os.walk(self.folder, topdown=False):
            path = Path(folder)
            if path.parent not in (self.folder, self.folder.parent):  # not pictures/, not itself
                _remove_if_empty(path, self.max_age)

    def _rounds(self) -> None:
        while not self._ended.wait(ROUND_SECONDS):
            try:
                self.sweep()
            except OSError as error:
                LOGGER.warning("sweep", extra={"fields": {"kind": type(error).__name__}})

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of the last change, size in bytes, and path of every file but the lock."""
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder) / name
                try:
                    state = path.lstat()
                except FileNotFoundError:  # deleted in the meantime
                    continue
                if path != self.folder / LOCK:
                    found.append((state.st_mtime, state.st_size, path))
        return found


def _remove_if_empty(folder: Path, max_age: float) -> None:
    """Remove an empty folder, unless it is new: somebody may be about to write into it."""
    try:
        if time.time() - folder.stat().st_mtime > min(max_age, ROUND_SECONDS):
            folder.rmdir()
    except OSError:
        return


def _remove_if_dead(folder: Path) -> None:
    """Remove the folder of a process that no longer holds its lock."""
    if not (folder / LOCK).is_file():  # not one of ours
        return
    try:
        with FileLock(folder / LOCK, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)
    except (Timeout, OSError):  # somebody holds it
        return
