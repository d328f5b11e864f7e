"""What a visitor has drawn: entries to draw again, and one archive of all pictures."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from var_core.jobs.progress import Request

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
        number: what the page calls it by; it stays the same when others come and go.
    """

    request: Request
    values: Mapping[str, object]
    words: str
    thumbnail: str
    files: tuple[str, ...]
    number: int = 0


History = tuple[Entry, ...]


def remember(history: History, entry: Entry) -> History:
    """The history with a new entry at the end; it keeps the newest 24."""
    number = history[-1].number + 1 if history else 0
    return (*history, replace(entry, number=number))[-MAX_ENTRIES:]


def forget(history: History, number: object) -> History:
    """The history without one entry.

    Raises:
        ValueError: if there is none of that number.
    """
    gone = find_entry(history, number)
    return tuple(entry for entry in history if entry is not gone)


def find_entry(history: History, number: object) -> Entry:
    """The entry of a number.

    Raises:
        ValueError: if there is none.
    """
    if not history:
        raise ValueError("nothing has been drawn yet: press Draw first")
    for entry in history:
        if type(number) is int and entry.number == number:
            return entry
    raise ValueError(f"the history holds no picture {number!r:.40}")


def write_archive(path: Path, history: Sequence[Entry]) -> None:
    """Write all pictures of a history into a zip file, numbered in the order they were drawn.

    Raises:
        ValueError: if there are none, or all of their files have been deleted.
        OSError: if there is no space.
    """
    files = [Path(file) for entry in history for file in entry.files if Path(file).is_file()]
    if not files:
        raise ValueError("there are no pictures to download: press Draw first")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, file in enumerate(files, start=1):
            archive.write(file, f"{number:03d}-{file.name}")
