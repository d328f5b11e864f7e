"""Reads what the package `datasets` opens: Arrow files by memory mapping, or a stream."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Union

from training.data.readers.record import Columns, Record, described, short_hash

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

SAVED_FILES = ("state.json", "dataset_dict.json")  # written by save_to_disk without and with splits


def import_datasets() -> ModuleType:
    """Import the package that opens data sets, which nothing else needs.

    Raises:
        ValueError: if it is missing.
    """
    try:
        import datasets
    except ImportError as error:
        raise ValueError(
            "the package datasets is missing; run: pip install -r training/requirements.txt"
        ) from error
    return datasets


def is_saved(source: str | Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return any((Path(source) / name).is_file() for name in SAVED_FILES)


def open_splits(source: str, subset: str = "", streaming: bool = False) -> "Mapping[str, Any]":
    """All splits of a data set; no code of it is run.

    Args:
        source: name on the hub, or folder.
        subset: name of one of several sets; "" for the usual one.
        streaming: whether it is read from where it lies, without a copy; not for saved folders.

    Raises:
        ValueError: if it cannot be opened.
    """
    datasets = import_datasets()
    try:
        if is_saved(source):
            found = datasets.load_from_disk(source)
        else:
            found = datasets.load_dataset(source, subset or None, streaming=streaming)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"{source} cannot be opened: {error}") from error
    if isinstance(found, datasets.Dataset):  # saved without splits
        return {str(found.split or "train"): found}
    return found


class DatasetReader:
    """Pictures of one split, by row.

    Args:
        rows: the split; a stream is read once, from the first part that is asked for.
        name: name of the split.
        image_column: column of the pictures.
        columns: other columns to take.
        part_pictures: pictures of a part.

    Raises:
        ValueError: if a column is missing, or holds no pictures.
    """

    def __init__(
        self,
        rows: Union["Dataset", "IterableDataset"],
        name: str,
        image_column: str,
        columns: Columns,
        part_pictures: int,
    ) -> None:
        datasets = import_datasets()
        features = rows.features or {}
        wanted = (image_column, *columns.labels, *columns.captions)
        if missing := [column for column in wanted if column not in features]:
            raise ValueError(f"{name} has no column {missing[0]!r}, only {', '.join(features)}")
        if not isinstance(features[image_column], datasets.Image):
            raise ValueError(f"the column {image_column!r} of {name} holds no pictures")
        self.names: dict[str, Sequence[str]] = {
            column: features[column].names
            for column in columns.labels
            if getattr(features[column], "names", None)  # a ClassLabel has some
        }
        rows = rows.select_columns(list(dict.fromkeys(wanted))).with_format(None)
        self.rows = rows.cast_column(image_column, datasets.Image(decode=False))
        self.is_stream = not isinstance(rows, datasets.Dataset)
        self.name, self.image_column = name, image_column
        self.columns, self.part_pictures = columns, part_pictures
        self._stream: tuple[int, Iterator[Any]] | None = None  # its next part, and its rows

    @property
    def stamp(self) -> str:
        """A hash that the package makes of files and changes, and of the columns."""
        known = "stream" if self.is_stream else getattr(self.rows, "_fingerprint", "")
        return short_hash((known, self.name, self.image_column, self.columns, self.part_pictures))

    @property
    def num_parts(self) -> int | None:
        """The number of parts; None for a stream."""
        return None if self.is_stream else -(-self._count() // self.part_pictures)

    def _count(self) -> int:
        return len(self.rows)  # type: ignore[arg-type]  # asked of Arrow files alone

    @property
    def classes(self) -> Mapping[str, Sequence[str]]:
        """The classes of columns whose values are classes to the package too."""
        return self.names

    def read(self, part: int) -> Iterator[Record]:
        """The pictures of a part."""
        start = part * self.part_pictures
        if self.is_stream:
            rows = islice(self._from(part), self.part_pictures)
        else:
            stop = min(start + self.part_pictures, self._count())
            rows = iter(self.rows.select(range(start, stop)))  # type: ignore[union-attr]
        for number, row in enumerate(rows, start):
            yield self._record(f"{self.name}/{number}", row)

    def _from(self, part: int) -> Iterator[Any]:
        """The rows of a stream from a part on; it goes on where it is, if that is there."""
        if self._stream is None or self._stream[0] != part:
            skipped = self.rows.skip(part * self.part_pictures)
            self._stream = (part, iter(skipped))
        rows = self._stream[1]
        self._stream = (part + 1, rows)
        return rows

    def _record(self, name: str, row: Mapping[str, Any]) -> Record:
        cell = row[self.image_column]
        content = b""  # as of a damaged file, where there is none
        if cell is not None:
            content = Path(cell["path"]) if cell["bytes"] is None else cell["bytes"]
        found = dict(row)
        for column, names in self.names.items():
            value = row[column]
            is_known = isinstance(value, int) and 0 <= value < len(names)
            found[column] = names[value] if is_known else None
        return described(name, content, found, self.columns)
