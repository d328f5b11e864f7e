"""Fashion-MNIST as a picture set, from Debian's package: `python -m training.prepare.fashion`.

70,000 grey pictures of ten kinds of clothes (Xiao et al., arXiv 1708.07747, MIT), padded from 28 to
32 pixels. The package is fetched with `apt-get download`, or given with `--package`.
"""

import gzip
import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.data.prepared_set import LabelColumn, save_set
from training.loop.config import EXIT_BAD_INPUT, parse_config

PACKAGE = "dataset-fashion-mnist"
SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
PLACE = Path("usr/share/datasets/fashion-mnist")
CLASSES = (
    *("T-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801
SIDE, PADDING = 28, 2


@dataclass(frozen=True)
class FashionConfig:
    """What to write, and out of what."""

    out: str = field(metadata={"help": "folder to write"})
    package: str = field(default="", metadata={"help": f".deb file of {PACKAGE}; else fetched"})


def fetch_package(folder: Path) -> Path:
    """The package, fetched with apt.

    Raises:
        ValueError: if there is no apt, or it cannot fetch it.
    """
    try:
        command = ["apt-get", "download", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(
            f"apt-get cannot download {PACKAGE} ({type(error).__name__}): fetch the package of "
            "Debian 12 yourself and give it with --package"
        ) from error
    return next(folder.glob(f"{PACKAGE}_*.deb"))


def read_idx(path: Path, magic: int) -> np.ndarray:
    """An array in IDX format: big-endian magic number and shape, then bytes.

    Raises:
        ValueError: if it is something else.
    """
    content = gzip.decompress(path.read_bytes())
    rank = magic & 0xFF
    head = np.frombuffer(content[: 4 * (rank + 1)], ">u4")
    if len(head) != rank + 1 or head[0] != magic:
        raise ValueError(f"{path.name} is no IDX file of {rank} dimensions")
    values = np.frombuffer(content[4 * (rank + 1) :], np.uint8)
    if len(values) != np.prod(head[1:]):
        raise ValueError(f"{path.name} is cut off")
    return values.reshape(head[1:])


def write_set(place: Path, out: Path) -> int:
    """Write the set; the test pictures are its validation. Returns the number of pictures."""
    pictures, labels, counts = [], [], []
    for part in ("train", "t10k"):
        images = read_idx(place / f"{part}-images-idx3-ubyte.gz", IMAGES_MAGIC)
        pictures.append(np.pad(images, ((0, 0), (PADDING,) * 2, (PADDING,) * 2)))
        labels.append(read_idx(place / f"{part}-labels-idx1-ubyte.gz", LABELS_MAGIC))
        counts.append(len(images))
    images = np.repeat(np.concatenate(pictures)[..., None], 3, axis=3)
    names = [CLASSES[label] for label in np.concatenate(labels)]
    validation = range(counts[0], len(images))
    save_set(out, images, [LabelColumn("class", CLASSES, names)], validation)
    return len(images)


def prepare(config: FashionConfig) -> int:
    """Fetch, check, unpack, write; returns the number of pictures.

    Raises:
        ValueError: if the package cannot be had or is another one.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = Path(config.package) if config.package else fetch_package(Path(folder))
        if not given.is_file():
            raise ValueError(f"there is no file {given}")
        found = hashlib.sha256(given.read_bytes()).hexdigest()
        if found != SHA256:
            raise ValueError(f"{given.name} has the SHA-256 {found}, not {SHA256}")
        subprocess.run(["dpkg-deb", "-x", str(given), folder], check=True)
        return write_set(Path(folder) / PLACE, Path(config.out))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    config = parse_config(FashionConfig, argv, "Make a picture set of Fashion-MNIST.")
    try:
        print(f"{prepare(config)} pictures of {len(CLASSES)} classes in {config.out}")
    except (ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
