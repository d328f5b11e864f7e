"""Uploads of visitors: each in a folder of its own, under a harmless name."""

import contextlib
import errno
import math
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from var_core.serving.client_budget import ClientBudget
from var_core.serving.fair_queue import BusyError
from var_core.serving.machine_troubles import MIN_FREE_BYTES
from var_core.serving.temp_files import BLOCK_BYTES, ENTRY_BYTES, MAX_BYTES

MAX_UPLOADED = MAX_BYTES // 2  # the other half is for finished pictures
MAX_CLIENT_UPLOADED = MAX_UPLOADED // 8
UNUSED_SECONDS = 900.0  # after which an upload that nobody has used may go
COUNT_SECONDS = 60.0  # between two looks at what is left of all uploads
PAUSE_SECONDS = 5.0  # where there is no room
MAX_FILES = 8
MAX_NAME = 80  # characters
BOUNDARY = re.compile(rb';\s*boundary="?([\w\'()+,./:=?-]{1,70})"?\s*(;|$)', re.IGNORECASE)
MAX_HEAD = 4_000  # bytes before the content of a file; a browser writes some hundreds
PARAMETER = re.compile(rb';\s*(name|filename)="([^"\r\n]*)"')


class Uploads:
    """Writes what visitors upload, as long as there is room.

    Where there is none, those that nobody has used go first. What has been used is small, or gone.

    Args:
        folder: folder for temporary files.
        max_bytes: size of the largest file.
        budget: room for the uploads of all visitors, and of each.
        clock: function that returns seconds that never go back.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        budget: ClientBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.budget = budget or ClientBudget("uploads", MAX_UPLOADED, MAX_CLIENT_UPLOADED)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[_Upload] = []
        self._counted = -math.inf  # when it was looked what is left of them

    def check(self, client: str, size: int) -> None:
        """Check that there is room for a body, before it comes.

        Raises:
            BusyError: if there is none.
        """
        try:
            self.budget.check(client, size)
        except BusyError:
            self._count_again(PAUSE_SECONDS)
            self.budget.check(client, size)

    def store(self, client: str, content_type: bytes, body: bytes) -> list[str]:
        """Write the files of a form.

        No two uploads share a place, though they have the same name or content: what one visitor
        replaces or deletes is never another's.

        Args:
            client: address of the visitor.
            content_type: content type of the body, with its boundary.
            body: form data, with files under the name "files".

        Returns:
            Paths of the files.

        Raises:
            BusyError: if there is no room for more uploads.
            ValueError: if it is no form, or holds no files, too many or too large ones.
            OSError: if there is no space.
        """
        files = _read_form(content_type, body)
        if not 1 <= len(files) <= MAX_FILES:
            raise ValueError(f"an upload holds 1 to {MAX_FILES} files, not {len(files)}")
        if any(len(content) > self.max_bytes for _, content in files):
            raise ValueError(f"a file has at most {self.max_bytes} bytes")
        self._count_again(COUNT_SECONDS)
        paths: list[Path] = []
        try:
            for name, content in files:
                paths.append(self._write(client, name, content))
        except (OSError, BusyError):
            for path in paths:
                remove_upload(path)
            raise
        return [str(path) for path in paths]

    def _write(self, client: str, name: str, content: bytes) -> Path:
        cost = _cost(len(content))
        self.check(client, cost)
        if shutil.disk_usage(self.folder).free < cost + MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.budget.take(client, cost)
        path = None
        try:
            path = Path(tempfile.mkdtemp(dir=self.folder)) / harmless_name(name)
            path.write_bytes(content)
        except OSError:
            if path is not None:
                remove_upload(path)
            self.budget.give_back(client, cost)
            raise
        with self._lock:
            self._kept.append(_Upload(path, client, len(content), cost, self._clock()))
        return path

    def _count_again(self, pause: float) -> None:
        """Look what is left of the uploads, and remove those that nobody has used in time.

        Args:
            pause: seconds since the last look, at least.
        """
        with self._lock:
            now = self._clock()
            if now - self._counted < pause:
                return
            self._counted, kept = now, self._kept
            self._kept = []
            for one in kept:
                cost = _cost_of(one.path)
                if cost == _cost(one.size) and now - one.since > UNUSED_SECONDS:
                    remove_upload(one.path)
                    cost = 0
                self.budget.give_back(one.client, one.cost - cost)
                if cost:
                    self._kept.append(replace(one, cost=cost))


@dataclass(frozen=True)
class _Upload:
    """A file that a visitor uploaded.

    Attributes:
        path: the file, alone in its folder.
        client: address of the visitor.
        size: bytes that came; what was used has another size, or is gone.
        cost: bytes that it was last seen to take on the disk, with its folder.
        since: time when it came.
    """

    path: Path
    client: str
    size: int
    cost: int
    since: float


def _cost(size: int) -> int:
    """Bytes on the disk of a file of some bytes, with the folder around it."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES + BLOCK_BYTES + 2 * ENTRY_BYTES


def _cost_of(path: Path) -> int:
    """The same of a file that was written; 0 if it is gone."""
    try:
        return _cost(path.lstat().st_size)
    except OSError:
        return 0


def remove_upload(path: Path) -> None:
    """Delete an uploaded file and its folder, if they are still there."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def harmless_name(name: str) -> str:
    """A file name of letters, digits, spaces and dashes, with at most one ending."""
    stem, dot, ending = re.split(r"[/\\]", name)[-1].rpartition(".")
    stem, ending = (stem, ending) if dot else (ending, "")
    stem = re.sub(r"[^\w -]", "_", stem).strip()[:MAX_NAME] or "upload"
    ending = re.sub(r"\W", "", ending, flags=re.ASCII)[:8]
    while len(stem.encode()) > MAX_NAME:
        stem = stem[:-1]
    return f"{stem}.{ending}" if ending else stem


def _read_form(content_type: bytes, body: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the files of a form.

    Raises:
        ValueError: if it is no form, or has far too many parts.
    """
    found = BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("the content type names no boundary")
    mark = b"\r\n--" + found[1]
    text = b"\r\n" + body
    if text.count(mark) > 2 * MAX_FILES + 2:
        raise ValueError(f"an upload holds 1 to {MAX_FILES} files")
    files = []
    for part in text.split(mark)[1:]:
        if part.startswith(b"--"):
            return files
        head, blank, content = part.partition(b"\r\n\r\n")
        if len(head) > MAX_HEAD:
            raise ValueError(f"the head of a file in a form has at most {MAX_HEAD} bytes")
        name = _file_name(head)
        if blank and name is not None:
            files.append((name.decode("utf-8", "replace"), content))
    raise ValueError("the form has no end")


def _file_name(head: bytes) -> bytes | None:
    """The name of the file under a head; None if it is none of the files."""
    for line in head.split(b"\r\n"):
        kind, _, value = line.partition(b":")
        if kind.strip().lower() == b"content-disposition":
            said = dict(PARAMETER.findall(value))
            return said.get(b"filename") if said.get(b"name") == b"files" else None
    return None
