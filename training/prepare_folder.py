"""Makes a picture set of anybody's pictures, sorted into one folder per class.

`python -m training.prepare_folder --images photos --out data/mine --size 64`
"""

import hashlib
import json
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.config import EXIT_BAD_INPUT, parse_config
from var_core.images import fit_square, read_image

logger = logging.getLogger(__name__)

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
MAX_BAD_SHARE = 0.01


@dataclass(frozen=True)
class FolderConfig:
    """What to read and to write."""

    images: str = field(metadata={"help": "folder with one sub-folder of pictures per class"})
    out: str = field(metadata={"help": "folder to write"})
    size: int = field(default=64, metadata={"help": "side in pixels; the model's, 16 to 1024"})
    validation: float = field(
        default=0.05, metadata={"help": "share of each class kept for validation"}
    )
    attribute: str = field(default="class", metadata={"help": "what the classes are called"})


def find_pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each class, both sorted by name.

    Raises:
        ValueError: if there are no classes, or one has no pictures.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not classes:
        raise ValueError(f"{folder} has no sub-folders: one is needed for each class")
    found = {}
    for place in classes:
        files = [path for path in sorted(place.rglob("*")) if path.suffix.lower() in ENDINGS]
        if not files:
            raise ValueError(f"{place} has no PNG, JPEG or WebP pictures")
        found[place.name] = files
    return found


def read_pictures(files: list[Path], size: int) -> tuple[np.ndarray, list[Path]]:
    """The central squares of pictures, (n, size, size, 3) uint8, and the files that are none.

    A damaged file has the picture of the next sound one in its place, so that a set is the same
    whenever it is made.

    Raises:
        ValueError: if more than one in a hundred is damaged.
    """
    pictures: list[Image.Image | None] = []
    bad = []
    for path in tqdm(files, unit="picture", desc="reading"):
        try:
            pictures.append(fit_square(read_image(path), size))
        except ValueError as error:
            logger.warning("left out: %s", error)
            pictures.append(None)
            bad.append(path)
    if len(bad) > MAX_BAD_SHARE * len(files):
        named = ", ".join(str(path) for path in bad[:5])
        raise ValueError(f"{len(bad)} of {len(files)} pictures cannot be read, such as {named}")
    for index, picture in enumerate(pictures):
        if picture is None:
            order = [*range(index + 1, len(pictures)), *range(index)]
            pictures[index] = next(pictures[place] for place in order if pictures[place])
    return np.stack([np.asarray(picture) for picture in pictures]), bad


def is_for_validation(path: Path, share: float) -> bool:
    """Decided by the name of the file and its class, so that more pictures change no other one."""
    digest = hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def prepare(config: FolderConfig) -> None:
    """Write images.npy, rows.json, splits.json and labels.json.

    Raises:
        ValueError: if a setting or a picture does not do.
        OSError: if there is no space.
    """
    if not 16 <= config.size <= 1024:
        raise ValueError(f"size must be from 16 to 1024, got {config.size}")
    if not 0 < config.validation < 0.5:
        raise ValueError(f"validation must be above 0 and below 0.5, got {config.validation}")
    found = find_pictures(Path(config.images))
    files = [path for paths in found.values() for path in paths]
    names = [name for name, paths in found.items() for _ in paths]
    images, bad = read_pictures(files, config.size)
    validation = [i for i, path in enumerate(files) if is_for_validation(path, config.validation)]
    if not validation or len(validation) == len(files):
        raise ValueError(
            f"{len(files)} pictures are too few to keep {config.validation:.0%} for validation"
        )
    kept = set(validation)
    train = [index for index in range(len(files)) if index not in kept]
    label_names = {
        "attributes": [{"name": config.attribute, "values": list(found)}],
        "implies": {},
    }
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "images.npy", images)
    for name, content in {
        "rows.json": [{config.attribute: name} for name in names],
        "splits.json": {"train": train, "validation": validation, "held_out": []},
        "labels.json": label_names,
    }.items():
        (out / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    print(f"{len(files)} pictures of {len(found)} classes, {len(bad)} damaged, in {out}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = parse_config(FolderConfig, argv, "Make a picture set of a folder of pictures.")
    try:
        prepare(config)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
