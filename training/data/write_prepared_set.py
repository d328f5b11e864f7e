"""Makes a prepared picture set: reads pictures, splits them, writes the files.

`prepared_set.py` reads the result.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.data.prepared_set import ROW_KEYS
from var_core.images import square_of
from var_core.labels import LabelSpace

logger = logging.getLogger(__name__)

Source = TypeVar("Source")
SourceCo = TypeVar("SourceCo", covariant=True)

MAX_BAD_SHARE = 0.01
MIN_SIDE, MAX_SIDE = 16, 1024
SIZE_HELP = "side of the pictures in pixels, the same as the model's"


class SizedIterable(Protocol[SourceCo]):
    """Anything with a length that can be iterated over."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[SourceCo]: ...


@dataclass(frozen=True)
class LabelColumn:
    """One attribute of a set.

    Attributes:
        name: name of the attribute, for example "class".
        values: names of its classes; the position of a name is its index.
        labels: class of each picture, by name.
    """

    name: str
    values: Sequence[str]
    labels: Sequence[str]


def check_share(validation: float) -> None:
    """Check the share of the pictures that is kept for validation.

    Raises:
        ValueError: if it is not above 0 and below 0.5.
    """
    if not 0 < validation < 0.5:
        raise ValueError(f"validation must be above 0 and below 0.5, got {validation}")


def read_squares(
    sources: SizedIterable[Source],
    names: Iterable[str],
    read: Callable[[Source], Image.Image],
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the central squares of pictures.

    A damaged picture is replaced by the next sound one (after the last one, by the first), whose
    labels it must get. So a set is the same whenever it is made.

    Args:
        sources: files or other places of the n pictures.
        names: name of each picture in messages.
        read: function that opens one; it raises ValueError if the picture is damaged.
        size: side of the squares in pixels.

    Returns:
        Squares (n, size, size, 3) uint8, and the position of the picture in each, (n,) int64.

    Raises:
        ValueError: if there are no pictures, or more than one in a hundred is damaged.
    """
    if not len(sources):
        raise ValueError("there are no pictures")
    images = np.empty((len(sources), size, size, 3), np.uint8)
    bad = {}
    named = zip(names, sources, strict=True)
    for index, (name, source) in enumerate(
        tqdm(named, total=len(sources), unit="picture", desc="reading")
    ):
        try:
            images[index] = np.asarray(square_of(read(source), size))
        except ValueError as error:
            logger.warning("%s was skipped: %s", name, error)
            bad[index] = name
    if len(bad) > MAX_BAD_SHARE * len(sources):
        raise ValueError(
            f"{len(bad)} of {len(sources)} pictures cannot be read, more than "
            f"{MAX_BAD_SHARE:.0%}, such as {', '.join(list(bad.values())[:5])}"
        )
    shown, places = np.arange(len(sources)), np.array(list(bad), np.int64)
    sound = np.delete(shown, places)
    shown[places] = sound[np.searchsorted(sound, places) % len(sound)]
    images[places] = images[shown[places]]
    return images, shown


def pick_validation(identities: Iterable[bytes], share: float) -> list[int]:
    """Choose rows for validation, each by a hash of its identity, whatever the others are.

    Args:
        identities: bytes that differ for every picture.
        share: part of the pictures to choose, above 0 and below 1.

    Raises:
        ValueError: if all or none would be chosen.
    """
    digests = (hashlib.sha256(identity).digest() for identity in identities)
    is_kept = [int.from_bytes(digest[:8], "big") < share * 2**64 for digest in digests]
    if all(is_kept) or not any(is_kept):
        raise ValueError(f"{len(is_kept)} pictures are too few to keep {share:.0%} for validation")
    return np.flatnonzero(is_kept).tolist()


def save_set(
    out: Path, images: np.ndarray, columns: Sequence[LabelColumn], validation: Iterable[int]
) -> None:
    """Write images.npy, rows.json, splits.json and labels.json.

    Args:
        out: folder to write; created if missing.
        images: (n, S, S, 3) uint8.
        columns: attributes, at least one.
        validation: rows for validation; the others are for training.

    Raises:
        ValueError: if the labels cannot be used; then nothing was written.
        OSError: if the folder cannot be written.
    """
    keys = [ROW_KEYS.get(column.name, column.name) for column in columns]
    if not keys or len(set(keys)) < len(keys):
        raise ValueError(f"the attributes must be different ones, got {[c.name for c in columns]}")
    label_names = {
        "attributes": [{"name": column.name, "values": list(column.values)} for column in columns],
        "implies": {},
    }
    LabelSpace.from_json(label_names)  # refuses labels that no model could load
    labels = zip(*(column.labels for column in columns), strict=True)
    rows = [dict(zip(keys, row, strict=True)) for row in labels]
    kept = set(validation)
    train = [row for row in range(len(images)) if row not in kept]
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "images.npy", images)
    for name, content in {
        "rows.json": rows,
        "splits.json": {"train": train, "validation": sorted(kept), "held_out": []},
        "labels.json": label_names,
    }.items():
        (out / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
