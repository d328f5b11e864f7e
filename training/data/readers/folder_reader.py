"""Reads a folder of pictures: a sub-folder per class, or one folder of pictures with captions."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.data.picture_folder import class_folders, pictures_of, tell_passed_over
from training.data.readers.record import Columns, Record, described, short_hash

CLASS = "class"  # column of the names of the sub-folders
TEXT = "txt"  # column of the texts in files beside the pictures: cat.jpg, cat.txt


class FolderReader:
    """Pictures in sub-folders, sorted by name.

    Args:
        source: folder with a sub-folder per class.
        columns: "class" are the names of the sub-folders, "txt" are the texts in files beside the
            pictures.
        part_pictures: pictures of a part.

    Raises:
        ValueError: if there are no pictures, or no such columns.
    """

    def __init__(self, source: Path, columns: Columns, part_pictures: int) -> None:
        if set(columns.labels) - {CLASS} or set(columns.captions) - {TEXT}:
            raise ValueError(
                f"a folder has labels in {CLASS!r}, the names of its sub-folders, and captions in "
                f"{TEXT!r}, files beside the pictures; got {columns.labels} and {columns.captions}"
            )
        self.source = source
        self.columns = columns
        self.part_pictures = part_pictures
        self.files: list[str] = []  # of millions of pictures, paths would take far more memory
        passed_over = Counter[str]()
        places = class_folders(source) if columns.labels else [source]
        for place in places:
            found = pictures_of(place, passed_over)
            self.files += [path.relative_to(source).as_posix() for path in found]
        if columns.captions:
            passed_over.pop(f".{TEXT}", None)
        tell_passed_over(passed_over)

    @property
    def stamp(self) -> str:
        """A hash of names, sizes and times of the files, and of the columns."""
        found = ((name, (self.source / name).stat()) for name in self.files)
        files = ((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)
        return short_hash((self.columns, self.part_pictures, *files))

    @property
    def num_parts(self) -> int:
        """The number of parts."""
        return -(-len(self.files) // self.part_pictures)

    @property
    def classes(self) -> Mapping[str, Sequence[str]]:
        """The classes are sorted by name."""
        return {}

    def read(self, part: int) -> Iterator[Record]:
        """The pictures of a part."""
        start = part * self.part_pictures
        for name in self.files[start : start + self.part_pictures]:
            path = self.source / name
            found: dict[str, object] = {CLASS: name.partition("/")[0]}
            if self.columns.captions:
                found[TEXT] = beside(path)
            yield described(name, path, found, self.columns)


def beside(path: Path) -> str | None:
    """The text in the file beside a picture; None without one.

    Raises:
        ValueError: if it is no UTF-8 text.
    """
    place = path.with_suffix(f".{TEXT}")
    try:
        return place.read_text("utf-8") if place.is_file() else None
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} is no UTF-8 text") from error
