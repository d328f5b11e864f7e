"""Makes a packed set: reads a source part by part, writes shards, then the arrays over all of them.

A part becomes a .tar file of pictures and a table of what is said of them. Both are whole or not
there, so a preparation that was cut off goes on with the next part. Nothing but tables is ever
held in memory.
"""

import hashlib
import io
import json
import logging
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from training.data.packed_pictures import (
    CAPTIONS,
    LABEL_NAMES,
    LABELS,
    MANIFEST,
    PHRASES,
    PLACES,
    SPLITS,
    VERSION,
)
from training.data.readers.record import Record
from training.data.shared_work import making
from var_core.files import replacing, sha256_of, write_atomically
from var_core.images import central_part, read_image
from var_core.labels import LabelSpace

logger = logging.getLogger(__name__)

TRAIN, VALIDATION = 0, 1  # values of splits.npy
ALL, WHOLE = "kind", "picture"  # attribute of pictures without classes, and its only class
NAMED = 5  # damaged pictures that a message names


@dataclass(frozen=True)
class Packing:
    """How pictures are stored.

    Attributes:
        side: side of the squares in pixels.
        quality: quality of JPEG files, 1 to 95; 100 stores PNG, without loss.
        validation: share of the pictures for validation.
    """

    side: int
    quality: int
    validation: float


def part_paths(folder: Path, part: int) -> tuple[Path, Path]:
    """The shard of a part, and its table, which is written last."""
    return folder / f"pictures-{part:06d}.tar", folder / "parts" / f"{part:06d}.json"


def read_table(folder: Path, part: int) -> dict[str, Any] | None:
    """The table of a part; None if the part is not whole."""
    shard, path = part_paths(folder, part)
    try:
        table = json.loads(path.read_text("utf-8"))
        return table if shard.stat().st_size == table["bytes"] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def pack_part(folder: Path, part: int, records: Iterable[Record], packing: Packing) -> int:
    """Write a part; returns how many pictures it has, damaged ones included.

    Raises:
        ValueError: if a label is missing, or the source is damaged.
        OSError: if there is no space.
    """
    shard, path = part_paths(folder, part)
    table: dict[str, list[Any]] = {
        name: [] for name in ("places", "labels", "captions", "validation", "damaged")
    }
    with making(shard) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for record in records:
                try:
                    content, ending = packed(record.content, packing)
                except ValueError as error:
                    table["damaged"].append(f"{record.name}: {error}")
                    continue
                member = tarfile.TarInfo(f"{part:06d}-{len(table['places']):06d}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                # the file is a whole number of blocks, the last of them being the picture's
                blocks = -(-len(content) // tarfile.BLOCKSIZE)
                start = tar.offset - blocks * tarfile.BLOCKSIZE
                table["places"].append((start, len(content)))
                table["labels"].append(record.labels)
                table["captions"].append(record.captions)
                table["validation"].append(is_chosen(record.name, packing.validation))
        found = {"bytes": temporary.stat().st_size, "sha256": sha256_of(temporary)}
    with making(path) as temporary:
        temporary.write_text(json.dumps(found | table, ensure_ascii=False), "utf-8")
    return len(table["places"]) + len(table["damaged"])


def packed(source: bytes | Path, packing: Packing) -> tuple[bytes, str]:
    """The central square of a picture as a file, and the ending of its name.

    A JPEG file that is such a square already stays as it is, to the byte.

    Raises:
        ValueError: if the picture is damaged.
    """
    image = read_image(source, limits=None)
    content = source.read_bytes() if isinstance(source, Path) else source
    if image.size == (packing.side, packing.side) and is_plain_jpeg(content):
        return content, "jpg"
    square, file = central_part(image, (packing.side, packing.side)), io.BytesIO()
    if packing.quality == 100:
        square.save(file, "PNG")
        return file.getvalue(), "png"
    square.save(file, "JPEG", quality=packing.quality, subsampling=0)
    return file.getvalue(), "jpg"


def is_plain_jpeg(content: bytes) -> bool:
    """Whether a readable picture is an upright JPEG file in colour."""
    with Image.open(io.BytesIO(content)) as image:
        is_upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        return image.format == "JPEG" and image.mode == "RGB" and is_upright


def is_chosen(name: str, share: float) -> bool:
    """Whether a picture is for validation; it is so whatever others there are."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def finish(
    folder: Path,
    num_parts: int,
    packing: Packing,
    attributes: Sequence[str],
    classes: Mapping[str, Sequence[str]],
    max_bad_share: float,
) -> int:
    """Write the arrays over all parts, and last the manifest; returns the number of pictures.

    Args:
        folder: folder of the set, with all parts.
        num_parts: number of parts.
        packing: how the pictures were stored.
        attributes: names of the labels, in order.
        classes: names of the classes of those whose order is known.
        max_bad_share: share of the pictures that may be damaged; they are left out.

    Raises:
        ValueError: if there are no pictures, too many are damaged, or the labels cannot be used.
        OSError: if there is no space.
    """
    check_damaged(folder, num_parts, max_bad_share)
    names = class_names(folder, num_parts, attributes, classes)
    label_names = {
        "attributes": [{"name": name, "values": values} for name, values in names.items()],
        "implies": {},
    }
    LabelSpace.from_json(label_names)  # refuses labels that no model could load
    arrays, phrases = join_tables(folder, num_parts, names)
    check_splits(arrays[SPLITS])
    for name, array in arrays.items():
        with replacing(folder / name) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    files, digest = {}, hashlib.sha256()
    for part, table in enumerate(tables(folder, num_parts)):
        files[part_paths(folder, part)[0].name] = table["bytes"]
        said = (table["sha256"], table["labels"], table["captions"], table["validation"])
        digest.update(json.dumps(said).encode())
    manifest = {
        "version": VERSION,
        "side": packing.side,
        "num_pictures": len(arrays[PLACES]),
        "files": files,
        "digest": digest.hexdigest()[:32],
    }
    for name, content in {PHRASES: phrases, LABEL_NAMES: label_names, MANIFEST: manifest}.items():
        write_atomically(folder / name, json.dumps(content, ensure_ascii=False).encode())
    return len(arrays[PLACES])


def join_tables(
    folder: Path, num_parts: int, names: Mapping[str, Sequence[str]]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays over all parts, by file name, and the phrases of all captions, each once."""
    index = [{value: number for number, value in enumerate(values)} for values in names.values()]
    phrases: dict[str, int] = {}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in (PLACES, LABELS, SPLITS)}
    captions: list[list[int]] = []
    for part, table in enumerate(tables(folder, num_parts)):
        count = len(table["places"])
        places = np.array(table["places"], np.int64).reshape(count, 2)
        columns[PLACES].append(np.insert(places, 0, part, axis=1))
        rows = [
            [known[value] for known, value in zip(index, labels or (WHOLE,), strict=True)]
            for labels in table["labels"]
        ]
        columns[LABELS].append(np.array(rows, np.int32).reshape(count, len(names)))
        columns[SPLITS].append(np.array(table["validation"], np.uint8))
        for texts in table["captions"]:
            captions.append([phrases.setdefault(text, len(phrases)) for text in texts])
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    return arrays | {CAPTIONS: padded(captions)}, list(phrases)


def tables(folder: Path, num_parts: int) -> Iterator[dict[str, Any]]:
    """The tables of all parts."""
    for part in range(num_parts):
        table = read_table(folder, part)
        if table is None:
            raise ValueError(f"{part_paths(folder, part)[0]} is gone or damaged: run again")
        yield table


def check_damaged(folder: Path, num_parts: int, max_bad_share: float) -> None:
    """Tell of damaged pictures, which are left out.

    Raises:
        ValueError: if there are more than so many, or no others.
    """
    sound, damaged = 0, []
    for table in tables(folder, num_parts):
        sound += len(table["places"])
        damaged += table["damaged"]
    count = sound + len(damaged)
    if not count:
        raise ValueError("there are no pictures")
    some = "; ".join(damaged[:NAMED])
    if not sound or len(damaged) > max_bad_share * count:
        raise ValueError(
            f"{len(damaged)} of {count} pictures cannot be read, more than {max_bad_share:.1%}; "
            f"--max-bad-share {len(damaged) / count + 0.005:.2f} would allow it; such as {some}"
        )
    if damaged:
        logger.warning("damaged pictures are left out (%d), such as %s", len(damaged), some)


def class_names(
    folder: Path, num_parts: int, attributes: Sequence[str], classes: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The classes of each attribute, in the order of the source, else sorted by number or name."""
    if not attributes:
        return {ALL: [WHOLE]}
    met: list[set[str]] = [set() for _ in attributes]
    for table in tables(folder, num_parts):
        for labels in table["labels"]:
            for found, value in zip(met, labels, strict=True):
                found.add(value)
    names = {}
    for attribute, found in zip(attributes, met, strict=True):
        are_numbers = all(value.lstrip("-").isdecimal() for value in found)
        order = sorted(found, key=int if are_numbers else None)
        names[attribute] = list(classes.get(attribute, order))
    return names


def check_splits(splits: np.ndarray) -> None:
    """Give one picture to a split that has none, of a small set.

    Raises:
        ValueError: if there is a single picture.
    """
    if len(splits) < 2:
        raise ValueError("two pictures are needed, one to learn from and one for validation")
    for split in (TRAIN, VALIDATION):
        if not (splits == split).any():
            splits[0] = split


def padded(captions: Sequence[Sequence[int]]) -> np.ndarray:
    """Phrases of each picture, (n, P) int32, -1 in empty slots."""
    found = np.full((len(captions), max(map(len, captions), default=0)), -1, np.int32)
    for row, ids in zip(found, captions, strict=True):
        row[: len(ids)] = ids
    return found
