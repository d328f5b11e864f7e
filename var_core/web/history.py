"""What a visitor has drawn: entries to draw again, and one archive of all pictures."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from var_core.jobs.progress import Request
from var_core.ranges import check_int

MAX_ENTRIES = 24


@dataclass(frozen=True)
class Entry:
    """One finished run.

    Attributes:
        request: request that draws the same pictures again.
        values: values of the controls at that time.
        words: what was drawn.
        thumbnail: data URL of a small picture.
        files: paths of its PNG files.
    """

    request: Request
    values: Mapping[str, object]
    words: str
    thumbnail: str
    files: tuple[str, ...]


History = tuple[Entry, ...]


def remember(history: History, entry: Entry) -> History:
    """The history with a new entry at the end; it keeps the newest 24."""
    return (*history, entry)[-MAX_ENTRIES:]


def forget(history: History, place: object) -> History:
    """The history without the entry at a place.

    Raises:
        ValueError: if there is none.
    """
    index = check_place(history, place)
    return history[:index] + history[index + 1 :]


def check_place(history: History, place: object) -> int:
    """The place of an entry, counted from 0.

    Raises:
        ValueError: if there is no such entry.
    """
    if not history:
        raise ValueError("nothing has been drawn yet: press Generate first")
    return check_int("place", place, 0, len(history) - 1)


def write_archive(path: Path, history: Sequence[Entry]) -> None:
    """Write all pictures of a history into a zip file, numbered in the order they were drawn.

    Raises:
        ValueError: if there are none, or all of their files have been deleted.
        OSError: if there is no space.
    """
    files = [Path(file) for entry in history for file in entry.files if Path(file).is_file()]
    if not files:
        raise ValueError("there are no pictures to download: press Generate first")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, file in enumerate(files, start=1):
            archive.write(file, f"{number:03d}-{file.name}")
