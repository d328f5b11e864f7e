"""What readers of picture sources have in common."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Columns:
    """Which columns of a source are read.

    Attributes:
        labels: columns whose values are classes; each becomes an attribute.
        captions: columns of texts about the picture.
    """

    labels: tuple[str, ...]
    captions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """A picture of a source, and what is said of it.

    Attributes:
        name: name of the picture in its source; no other has it.
        content: a picture file, or its path.
        labels: class of each attribute.
        captions: texts about the picture, each of them enough.
    """

    name: str
    content: bytes | Path
    labels: tuple[str, ...]
    captions: tuple[str, ...] = ()


class Reader(Protocol):
    """A source of pictures in parts, the same ones whenever they are read."""

    @property
    def stamp(self) -> str:
        """A short hash of what is read: names, sizes, times, but not the content."""
        ...

    @property
    def num_parts(self) -> int | None:
        """How many parts there are; None where that is known at the end only."""
        ...

    @property
    def classes(self) -> Mapping[str, Sequence[str]]:
        """Names of the classes of attributes that the source has an order for."""
        ...

    def read(self, part: int) -> Iterator[Record]:
        """The pictures of a part; none after the last part.

        Raises:
            ValueError: if a label is missing, or the source is damaged.
        """
        ...


def short_hash(items: Iterable[object]) -> str:
    """16 hexadecimal digits that depend on some items and their order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def described(
    name: str, content: bytes | Path, found: Mapping[str, object], columns: Columns
) -> Record:
    """A record of what a source says of a picture.

    Args:
        name: name of the picture.
        content: a picture file, or its path.
        found: values of all columns.
        columns: columns to take.

    Raises:
        ValueError: if a label is missing or no string or whole number, or a caption is no text.
    """
    labels = []
    for column in columns.labels:
        value = found.get(column)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            known = ", ".join(sorted(found)) or "none"
            raise ValueError(
                f"{name} has no class in {column!r}, which must be a string or a whole number; "
                f"its columns: {known}"
            )
        labels.append(str(value))
    texts = (text for column in columns.captions for text in _texts(name, column, found))
    return Record(name, content, tuple(labels), tuple(dict.fromkeys(texts)))


def _texts(name: str, column: str, found: Mapping[str, object]) -> Iterator[str]:
    """The texts of a column, which may be one or a list; an empty one says nothing."""
    value = found.get(column)
    for text in value if isinstance(value, list) else [value]:
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} has no text in {column!r}, got {text!r:.60}")
        if text and text.strip():
            yield text.strip()
