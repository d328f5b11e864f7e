"""A prepared picture set: the folder that a `training.prepare` command wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPLIT_NAMES = ("train", "validation", "held_out")
FILES = ("images.npy", "rows.json", "splits.json", "labels.json")
UNREADABLE = (OSError, EOFError, ValueError, TypeError, RecursionError, OverflowError)
ROW_KEYS = {"category": "subgroup", "emoji": "label"}  # keys of rows.json that differ


@dataclass(frozen=True)
class PreparedSet:
    """Pictures with their labels; row i of each table belongs to picture i.

    Attributes:
        images: (n, S, S, 3) uint8, memory mapped, read only.
        labels: (n, A) int64, an index per attribute.
        splits: row indices of "train", "validation" and "held_out", int64; the last may be empty.
        label_names: content of labels.json, the names behind the indices.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: Mapping[str, np.ndarray]
    label_names: Mapping[str, Any]

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
    return PreparedSet(images, labels, splits, label_names)


def evenly(rows: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` of the rows (N,), evenly spread; the same in every call."""
    return rows[:: -(-len(rows) // limit)] if len(rows) > limit else rows


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
