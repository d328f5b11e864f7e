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
import psutil
from PIL import Image

from training.data.prepared_set import ROW_KEYS
from training.loop.heartbeat import counting
from var_core.images import central_part
from var_core.labels import LabelSpace, check_attribute_name

logger = logging.getLogger(__name__)

Source = TypeVar("Source")
SourceCo = TypeVar("SourceCo", covariant=True)

MIN_SIDE, MAX_SIDE = 16, 1024
MEMORY_SHARE = 0.8  # of what is free
SIDE_STEP = 8  # pixels of the default tokenizer's patches
SIZE_HELP = "side of the pictures in pixels, the same as the model's; a multiple of 8"
SHARE_HELP = "share of each class kept for validation, below 0.5"
BAD_HELP = "share of the pictures that may be damaged; these are replaced by their neighbours"


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


def check_preparation(size: int, validation: float) -> None:
    """Check what all preparations have in common.

    Raises:
        ValueError: if the side is no multiple of 8, or the share of the pictures that is kept for
            validation is not above 0 and below 0.5.
    """
    if size % SIDE_STEP:
        near = size // SIDE_STEP * SIDE_STEP
        raise ValueError(
            f"size must be a multiple of {SIDE_STEP}, such as {near} or {near + SIDE_STEP}, "
            f"got {size}"
        )
    if not 0 < validation < 0.5:
        raise ValueError(f"validation must be above 0 and below 0.5, got {validation}")


def read_squares(
    sources: SizedIterable[Source],
    names: Iterable[str],
    read: Callable[[Source], Image.Image],
    size: int,
    max_bad_share: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the central squares of pictures.

    A damaged picture is replaced by the next sound one (after the last one, by the first), whose
    labels it must get. So a set is the same whenever it is made.

    Args:
        sources: files or other places of the n pictures.
        names: name of each picture in messages.
        read: function that opens one; it raises ValueError if the picture is damaged.
        size: side of the squares in pixels.
        max_bad_share: share of the pictures that may be damaged.

    Returns:
        Squares (n, size, size, 3) uint8, and the position of the picture in each, (n,) int64.

    Raises:
        ValueError: if there are no pictures, or too many are damaged.
    """
    if not len(sources):
        raise ValueError("there are no pictures")
    check_memory(len(sources), size)
    images = np.empty((len(sources), size, size, 3), np.uint8)
    called, bad = list(names), {}
    with counting("reading", len(sources), "picture") as reach:
        for index, source in enumerate(sources):
            try:
                images[index] = np.asarray(central_part(read(source), (size, size)))
            except ValueError as error:
                bad[index] = str(error)
            reach(index + 1)
    if len(bad) == len(sources) or len(bad) > max_bad_share * len(sources):
        some = ", ".join(called[index] for index in list(bad)[:5])
        raise ValueError(
            f"{len(bad)} of {len(sources)} pictures cannot be read, more than "
            f"{max_bad_share:.1%}; --max-bad-share {len(bad) / len(sources) + 0.005:.2f} would "
            f"allow it; such as {some} ({next(iter(bad.values()))})"
        )
    shown, places = np.arange(len(sources)), np.array(list(bad), np.int64)
    sound = np.delete(shown, places)
    shown[places] = sound[np.searchsorted(sound, places) % len(sound)]
    for index, why in bad.items():
        logger.warning("%s is replaced by %s: %s", called[index], called[shown[index]], why)
    images[places] = images[shown[places]]
    return images, shown


def check_memory(count: int, size: int) -> None:
    """Check that pictures fit into memory together.

    Raises:
        ValueError: if they do not.
    """
    needed, free = 3 * count * size**2, psutil.virtual_memory().available
    if needed > MEMORY_SHARE * free:
        raise ValueError(
            f"{count:,} pictures of {size} pixels take {needed / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free; python -m training.prepare.shards needs little"
        )


def pick_validation(
    identities: Iterable[bytes], classes: Iterable[object], share: float
) -> list[int]:
    """Choose rows of each class for validation, each by a hash of its identity.

    So a picture stays where it is whatever others are added. Only a class so small that none or
    all would be chosen gives one picture to validation, or to training; that one may change.

    Args:
        identities: bytes that differ for every picture.
        classes: class of every picture.
        share: part of the pictures to choose, above 0 and below 1.

    Raises:
        ValueError: if no class has two pictures.
    """
    found: dict[object, list[tuple[float, int]]] = {}
    for row, (identity, name) in enumerate(zip(identities, classes, strict=True)):
        digest = hashlib.sha256(identity).digest()
        found.setdefault(name, []).append((int.from_bytes(digest[:8], "big") / 2**64, row))
    chosen = []
    for members in found.values():
        count = sum(place < share for place, _ in members)
        count = min(max(count, 1), len(members) - 1)  # none of a single picture
        chosen += [row for _, row in sorted(members)[:count]]
    if not chosen:
        num_rows = sum(map(len, found.values()))
        raise ValueError(
            f"no class has two of the {num_rows} pictures, one to learn from and one for "
            "validation (--validation is the share of each class)"
        )
    return sorted(chosen)


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
    for column in columns:
        check_attribute_name(column.name)
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
