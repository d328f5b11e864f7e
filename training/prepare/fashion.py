"""Fashion-MNIST as a picture set, from Debian's package: `python -m training.prepare.fashion`.

70,000 grey pictures of ten kinds of clothes (Xiao et al., arXiv 1708.07747, MIT), padded from 28 to
32 pixels. The package is fetched with `apt-get download`, or read from `--package`.
"""

import gzip
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.data.write_prepared_set import LabelColumn, save_set
from training.loop.command_line import Settings, run_command
from var_core.files import sha256_of
from var_core.option_fields import about, option

PACKAGE = "dataset-fashion-mnist"
SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
PLACE = Path("usr/share/datasets/fashion-mnist")
CLASSES = (
    *("T-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801
SIDE, PADDING = 28, 2


@dataclass(frozen=True, kw_only=True)
class FashionSettings(Settings):
    """What to write, and from which file."""

    out: str = field(metadata=about("folder to write"))
    package: str = option("", f".deb file of {PACKAGE}; without it, the file is fetched")


def fetch_package(folder: Path) -> Path:
    """Fetch the package with apt; returns its file.

    Raises:
        ValueError: if apt is missing or cannot fetch it.
    """
    try:
        command = ["apt-get", "download", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(
            f"apt-get cannot download {PACKAGE} ({type(error).__name__}): download the "
            "package of Debian 12 yourself and name the file with --package"
        ) from error
    return next(folder.glob(f"{PACKAGE}_*.deb"))


def read_idx(path: Path, magic: int) -> np.ndarray:
    """Read an array in IDX format: big-endian magic number and shape, then bytes.

    Raises:
        ValueError: if it is something else.
    """
    content = gzip.decompress(path.read_bytes())
    rank = magic & 0xFF
    head = np.frombuffer(content[: 4 * (rank + 1)], ">u4")
    if len(head) != rank + 1 or head[0] != magic:
        raise ValueError(f"{path.name} is not an IDX file of {rank} dimensions")
    values = np.frombuffer(content[4 * (rank + 1) :], np.uint8)
    if len(values) != np.prod(head[1:]):
        raise ValueError(f"{path.name} is cut off")
    return values.reshape(head[1:])


def write_set(place: Path, out: Path) -> int:
    """Write the set, with the test pictures for validation; returns the number of pictures."""
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


def prepare(settings: FashionSettings) -> None:
    """Fetch, check, unpack and write the set.

    Raises:
        ValueError: if the package cannot be fetched, unpacked, or is not the known one.
        OSError: if the folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(settings.package) if settings.package else fetch_package(Path(folder))
        if not archive.is_file():
            raise ValueError(f"there is no file {archive}")
        found = sha256_of(archive)
        if found != SHA256:
            raise ValueError(f"{archive.name} has the SHA-256 {found}, not {SHA256}")
        try:
            subprocess.run(["dpkg-deb", "-x", str(archive), folder], check=True)
        except subprocess.CalledProcessError as error:
            raise ValueError(f"{archive.name} cannot be unpacked: {error}") from error
        count = write_set(Path(folder) / PLACE, Path(settings.out))
    print(f"{count} pictures of {len(CLASSES)} classes in {settings.out}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, FashionSettings, "Make a picture set of Fashion-MNIST.", argv)


if __name__ == "__main__":
    sys.exit(main())
