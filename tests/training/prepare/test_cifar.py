"""CIFAR-10 out of its package, here a made-up one of the same form."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import npm_packages
from training.data.prepared_set import load_prepared_set
from training.prepare import cifar as prepare_cifar
from training.prepare.cifar import CLASSES, FIRST_LABELS, PICTURE_FILES, main

TRAIN_PER_CLASS, TEST_PER_CLASS = 10, 2


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class FakePackage:
    """What `npm pack` would give: pictures of noise, whose red is their class."""

    def __init__(self) -> None:
        dice = np.random.default_rng(0)
        rest = list(np.repeat(range(10), TRAIN_PER_CLASS))
        for label in FIRST_LABELS:
            rest.remove(label)
        self.labels = {
            "train": [*FIRST_LABELS, *map(int, dice.permutation(rest))],
            "test": [index % 10 for index in range(10 * TEST_PER_CLASS)],
        }
        labels = np.array(self.labels["train"] + self.labels["test"])
        self.images = dice.integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
        self.images[..., 0] = 20 * labels[:, None, None]
        means = self.images[: len(self.labels["train"])].mean(axis=(0, 1, 2)) / 255
        self.means = tuple(means.round(3).tolist())
        self.files: dict[str, bytes] = {"index.bundle.js": b"throw 1", "package.json": b"{}"}
        names = [name for part in ("train", "test") for name in PICTURE_FILES[part]]
        for name, images in zip(names, np.split(self.images, range(20, 101, 20)), strict=True):
            self.files[name] = png(images.reshape(len(images), 1024, 3))
        for part, values in self.labels.items():
            self.files[f"{part}_lables.json"] = json.dumps(values).encode()

    def pack(self) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            for name, value in self.files.items():
                info = tarfile.TarInfo(f"package/{name}")
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
        return content.getvalue()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the command fetch and expect this package instead of the real one."""
        content = self.pack()

        def npm_pack(package: npm_packages.Package, folder: Path) -> Path:
            archive = folder / package.file_name
            archive.write_bytes(content)
            return archive

        digest = hashlib.sha256(content).hexdigest()
        per_class = {"train": TRAIN_PER_CLASS, "test": TEST_PER_CLASS}
        monkeypatch.setattr(npm_packages, "_npm_pack", npm_pack)
        monkeypatch.setattr(prepare_cifar, "PACKAGE", replace(prepare_cifar.PACKAGE, sha256=digest))
        monkeypatch.setattr(prepare_cifar, "PER_CLASS", per_class)
        monkeypatch.setattr(prepare_cifar, "MEANS", self.means)


def test_each_row_of_pixels_becomes_a_picture_and_the_test_part_the_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    package = FakePackage()
    package.install(monkeypatch)
    assert main(["--out", str(tmp_path / "set")]) == 0
    assert "120 pictures of 10 classes" in capsys.readouterr().out
    data = load_prepared_set(tmp_path / "set")
    assert np.array_equal(data.images, package.images)
    assert data.labels[:, 0].tolist() == package.labels["train"] + package.labels["test"]
    assert data.label_names["attributes"] == [{"name": "class", "values": list(CLASSES)}]
    assert data.splits["train"].tolist() == list(range(100))
    assert data.splits["validation"].tolist() == list(range(100, 120))
    assert len(data.splits["held_out"]) == 0
    assert "Krizhevsky" in (tmp_path / "set" / "ATTRIBUTION.md").read_text()


def test_a_package_with_another_hash_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    expected = prepare_cifar.PACKAGE
    FakePackage().install(monkeypatch)
    monkeypatch.setattr(prepare_cifar, "PACKAGE", expected)
    assert main(["--out", str(tmp_path / "set")]) == 2
    assert f"expected {expected.sha256}" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "set").rglob("*")] == ["packages"]


def lose_a_label(package: FakePackage) -> None:
    package.files["test_lables.json"] = json.dumps(package.labels["test"][1:]).encode()


def lose_a_picture(package: FakePackage) -> None:
    package.files["test_batch.png"] = png(package.images[101:].reshape(-1, 1024, 3))


def change_the_order(package: FakePackage) -> None:
    package.files["train_lables.json"] = json.dumps(package.labels["train"][::-1]).encode()


def swap_the_colours(package: FakePackage) -> None:
    package.means = package.means[::-1]


def be_square(package: FakePackage) -> None:
    package.files["test_batch.png"] = png(package.images[100:].reshape(-1, 32, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_a_label, "the test part has 20 pictures and [1, 2, 2"),
        (lose_a_picture, "the test part has 19 pictures and [2, 2"),
        (change_the_order, "first labels must be (6, 9, 9, 4, 1, 1, 2, 7, 8, 3), found"),
        (swap_the_colours, "mean colour must be"),
        (be_square, "a row has 1024 pixels of 3 bytes, got (32, 3)"),
    ],
)
def test_what_is_not_cifar_10_is_refused_and_not_written(
    change: object,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    package = FakePackage()
    change(package)
    package.install(monkeypatch)
    assert main(["--out", str(tmp_path / "set")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set" / "images.npy").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file" / "set")]) == 3
    assert "cannot be written" in capsys.readouterr().err
