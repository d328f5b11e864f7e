"""A prepared picture set: the folder that a `training.prepare` command wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from training.data.packed_pictures import (
    CAPTIONS,
    LABEL_NAMES,
    LABELS,
    MANIFEST,
    PHRASES,
    PLACES,
    SPLITS,
    Manifest,
    PackedPictures,
    load_array,
)

SPLIT_NAMES = ("train", "validation", "held_out")
FILES = ("images.npy", "rows.json", "splits.json", "labels.json")
UNREADABLE = (OSError, EOFError, ValueError, TypeError, RecursionError, OverflowError)
ROW_KEYS = {"category": "subgroup", "emoji": "label"}  # keys of rows.json that differ


class PictureArray(Protocol):
    """Pictures (n, S, S, 3) uint8 that are read when they are used; an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pictures, side, side, 3."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True)
class PreparedSet:
    """Pictures with their labels; row i of each table belongs to picture i.

    Attributes:
        images: (n, S, S, 3) uint8, on disk, read only.
        labels: (n, A) int64, an index per attribute.
        splits: row indices of "train", "validation" and "held_out", int64; the last may be empty.
        label_names: content of labels.json, the names behind the indices.
        stamp: text that is another one for other pictures.
        captions: (n, P) ids of phrases, each of them said of the picture, -1 in empty slots.
        phrases: texts of the phrases; each is there once.
    """

    images: PictureArray
    labels: np.ndarray
    splits: Mapping[str, np.ndarray]
    label_names: Mapping[str, Any]
    stamp: str
    captions: np.ndarray | None = None
    phrases: Sequence[str] = ()

    @property
    def attributes(self) -> list[str]:
        """Names of the columns of the labels."""
        return [attribute["name"] for attribute in self.label_names["attributes"]]


def load_prepared_set(folder: str | Path) -> PreparedSet:
    """Open a prepared set; the images stay on disk until they are used.

    Args:
        folder: folder that a `training.prepare` command wrote.

    Raises:
        ValueError: if a file is missing, unreadable, or does not fit the others.
    """
    folder = Path(folder)
    _refuse_pipes(folder)
    if (folder / MANIFEST).exists():
        return load_packed_set(folder)
    try:
        images = np.lib.format.open_memmap(folder / "images.npy", mode="r")
        rows = _read_json(folder / "rows.json")
        splits = _read_json(folder / "splits.json")
        label_names = _read_json(folder / "labels.json")
        splits = {name: np.array(splits[name], dtype=np.int64) for name in SPLIT_NAMES}
        indices = np.sort(np.concatenate(list(splits.values())))
        labels = _label_indices(rows, label_names)
    except FileNotFoundError as error:
        raise _unusable(folder, f"{Path(str(error.filename)).name} is missing") from error
    except KeyError as error:
        raise _unusable(folder, f"{error} is missing in a table") from error
    except UNREADABLE as error:
        raise _unusable(folder, str(error)) from error
    side = images.shape[1] if images.ndim == 4 else 0
    if images.dtype != np.uint8 or side == 0 or images.shape[1:] != (side, side, 3):
        raise _unusable(folder, f"images are {images.shape} {images.dtype}")
    if len(images) != len(rows):
        raise _unusable(folder, f"{len(images)} images have {len(rows)} rows")
    if not np.array_equal(indices, np.arange(len(rows))):
        raise _unusable(folder, "the splits overlap or miss images")
    for name in ("train", "validation"):
        if not len(splits[name]):
            raise _unusable(folder, f"it has no pictures for {name}")
    found = (folder / "images.npy").stat()
    return PreparedSet(
        images, labels, splits, label_names, f"{found.st_size} bytes of {found.st_mtime_ns}"
    )


def load_packed_set(folder: Path) -> PreparedSet:
    """Open what `training.prepare.shards` wrote.

    Raises:
        ValueError: if a file is missing, unreadable, or does not fit the others.
    """
    try:
        manifest = Manifest.read(folder)
        count = manifest.num_pictures
        label_names, phrases = (_read_json(folder / name) for name in (LABEL_NAMES, PHRASES))
        counts = [len(attribute["values"]) for attribute in label_names["attributes"]]
        places = load_array(folder / PLACES, (count, 3), "int64")
        labels = load_array(folder / LABELS, (count, len(counts)), "int32").astype(np.int64)
        splits = load_array(folder / SPLITS, (count,), "uint8")
        captions = load_array(folder / CAPTIONS, (count, -1), "int32")
    except (*UNREADABLE, KeyError) as error:
        again = "run the command that made it again"
        raise ValueError(f"{folder} holds no usable picture set ({error}); {again}") from error
    if ((labels < 0) | (labels >= counts)).any():
        raise ValueError(f"{folder} has labels without a name in {LABEL_NAMES}")
    return PreparedSet(
        PackedPictures(folder, manifest, places),
        labels,
        {name: np.flatnonzero(splits == number) for number, name in enumerate(SPLIT_NAMES)},
        label_names,
        manifest.digest,
        captions if phrases else None,
        phrases,
    )


def evenly(rows: np.ndarray, limit: int) -> np.ndarray:
    """All rows (N,), or `limit` of them, evenly spread; the same in every call."""
    return rows[np.arange(limit) * len(rows) // limit] if len(rows) > limit else rows


def _refuse_pipes(folder: Path) -> None:
    """A pipe could be waited for without end."""
    for name in FILES:
        if (folder / name).exists() and not (folder / name).is_file():
            raise _unusable(folder, f"{name} is no file")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _label_indices(rows: Sequence[Mapping[str, Any]], label_names: Mapping[str, Any]) -> np.ndarray:
    columns = []
    for attribute in label_names["attributes"]:
        index = {value: number for number, value in enumerate(attribute["values"])}
        name = str(attribute["name"])
        key = ROW_KEYS.get(name, name)
        columns.append([index[row[key]] for row in rows])
    return np.array(columns, dtype=np.int64).T.reshape(len(rows), len(columns))


def _unusable(folder: Path, reason: str) -> ValueError:
    return ValueError(
        f"{folder} holds no usable picture set ({reason}); make one with a command of "
        f"training.prepare, such as `python -m training.prepare.folder --out {folder}`"
    )
