"""Reads the emoji set that `training.prepare_emoji` wrote."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPLIT_NAMES = ("train", "validation", "held_out")
ATTRIBUTES = ("category", "emoji", "style")  # columns of the labels


@dataclass(frozen=True)
class EmojiData:
    """Pictures with their labels; row i of every table belongs to picture i."""

    images: np.ndarray  # (n, 64, 64, 3) uint8, memory mapped, read only
    labels: np.ndarray  # (n, 3) int64: category, emoji and style index
    splits: Mapping[str, np.ndarray]  # train, validation, held_out -> row indices, int64
    label_names: Mapping  # content of labels.json: the names behind the indices


def load_emoji_data(folder: str | Path) -> EmojiData:
    """Open a prepared emoji set; the images stay on disk until they are used.

    Args:
        folder: what `python -m training.prepare_emoji --out` wrote.

    Raises:
        ValueError: if a file is missing, unreadable, or does not fit the others.
    """
    folder = Path(folder)
    try:
        images = np.load(folder / "images.npy", mmap_mode="r")
        rows = _read_json(folder / "rows.json")
        splits = _read_json(folder / "splits.json")
        label_names = _read_json(folder / "labels.json")
        splits = {name: np.array(splits[name], dtype=np.int64) for name in SPLIT_NAMES}
        labels = _label_indices(rows, label_names)
    except FileNotFoundError as error:
        raise _unusable(folder, f"{Path(error.filename).name} is missing") from error
    except KeyError as error:
        raise _unusable(folder, f"{error} is not named") from error
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise _unusable(folder, str(error)) from error
    if images.dtype != np.uint8 or images.shape[1:] != (64, 64, 3):
        raise _unusable(folder, f"images are {images.shape} {images.dtype}")
    if len(images) != len(rows):
        raise _unusable(folder, f"{len(images)} images have {len(rows)} rows")
    indices = np.sort(np.concatenate(list(splits.values())))
    if not np.array_equal(indices, np.arange(len(rows))):
        raise _unusable(folder, "the splits overlap or miss images")
    return EmojiData(images, labels, splits, label_names)


def _read_json(path: Path) -> list | dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _label_indices(rows: list[dict], label_names: dict) -> np.ndarray:
    values = {attribute["name"]: attribute["values"] for attribute in label_names["attributes"]}
    category, emoji, style = (
        {value: index for index, value in enumerate(values[name])} for name in ATTRIBUTES
    )
    indices = [
        (category[row["subgroup"]], emoji[row["label"]], style[row["style"]]) for row in rows
    ]
    return np.array(indices, dtype=np.int64).reshape(len(rows), len(ATTRIBUTES))


def _unusable(folder: Path, reason: str) -> ValueError:
    return ValueError(
        f"{folder} holds no usable emoji set ({reason}); build it with "
        f"`python -m training.prepare_emoji --out {folder}`"
    )
