"""What a visitor has drawn: restored by drawing it again, downloaded as one archive."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from var_core.jobs.requests import DrawRequest
from var_core.ranges import check_int

MAX_ENTRIES = 24


@dataclass(frozen=True)
class Entry:
    """One finished run.

    Attributes:
        request: draws the same pictures again.
        values: of the controls that made it.
        words: say what was drawn.
        thumbnail: data URL.
        files: its PNG files.
    """

    request: DrawRequest
    values: tuple[object, ...]
    words: str
    thumbnail: str
    files: tuple[str, ...]


History = tuple[Entry, ...]


def remember(history: History, entry: Entry) -> History:
    """With a new entry at the end; beyond 24 the oldest ones go."""
    return (*history, entry)[-MAX_ENTRIES:]


def forget(history: History, place: int) -> History:
    """Without the entry at a place.

    Raises:
        ValueError: if there is none.
    """
    check_place(history, place)
    return history[:place] + history[place + 1 :]


def check_place(history: History, place: object) -> int:
    """The place of an entry, from 0.

    Raises:
        ValueError: if there is no such entry.
    """
    if not history:
        raise ValueError("nothing has been drawn yet: press Generate first")
    return check_int("place", place, 0, len(history) - 1)


def write_archive(path: Path, history: Sequence[Entry]) -> None:
    """Write all pictures of a history into a zip file, numbered in the order they were drawn.

    Raises:
        ValueError: if there are none, or all are too old to be still there.
        OSError: if there is no space.
    """
    files = [Path(file) for entry in history for file in entry.files if Path(file).is_file()]
    if not files:
        raise ValueError("there are no pictures to download: press Generate first")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, file in enumerate(files, start=1):
            archive.write(file, f"{number:03d}-{file.name}")
