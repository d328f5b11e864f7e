"""Fashion-MNIST from its package."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from training.data.prepared_set import load_prepared_set
from training.prepare.fashion import CLASSES, PLACE, main, read_idx, write_set


def write_idx(path: Path, values: np.ndarray) -> None:
    head = struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(head + values.tobytes()))


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """Files in the form of Fashion-MNIST: 40 and 20 pictures whose brightness is their class."""
    for part, count in (("train", 40), ("t10k", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.repeat(labels * 25, 28 * 28).reshape(count, 28, 28)
        write_idx(tmp_path / PLACE / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / PLACE / f"{part}-labels-idx1-ubyte.gz", labels)
    return tmp_path / PLACE


def test_fashion_mnist_becomes_a_set_of_padded_pictures(fashion: Path, tmp_path: Path) -> None:
    assert write_set(fashion, tmp_path / "set") == 60
    data = load_prepared_set(tmp_path / "set")
    assert data.images.shape == (60, 32, 32, 3)
    assert data.label_names["attributes"][0]["values"] == list(CLASSES)
    assert (data.images[13, 2:30, 2:30] == 75).all() and (data.images[13, :2] == 0).all()
    assert list(data.splits["validation"]) == list(range(40, 60))


def test_what_is_no_fashion_mnist_is_refused(
    fashion: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images = fashion / "train-images-idx3-ubyte.gz"
    with pytest.raises(ValueError, match="is not an IDX file of 1 dimensions"):
        read_idx(images, 0x801)
    images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-5]))
    with pytest.raises(ValueError, match="is cut off"):
        read_idx(images, 0x803)
    assert main(["--out", str(tmp_path / "x"), "--package", str(images)]) == 2
    assert "has the SHA-256" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "x"), "--package", str(tmp_path / "none.deb")]) == 2
    assert "there is no file" in capsys.readouterr().err
