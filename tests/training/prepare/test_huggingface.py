"""From data sets of the package `datasets` to picture sets; the tests make and save their own."""

import io
import socket
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from PIL import Image

from training.data.prepared_set import PreparedSet, load_prepared_set
from training.prepare.huggingface import main, read_cell

CLASSES = ("plum", "apple", "pear")  # not in the order of the alphabet
BROKEN = {"bytes": b"broken", "path": None}
SHARE = ("--validation", "0.2")


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies that `datasets` keeps go to the test's folder; nothing is fetched."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pictures(count: int = 60, seed: int = 0) -> list[Image.Image]:
    """Noise of several sizes; the darkest colour of picture i is colour i modulo 3."""
    dice = np.random.default_rng(seed)
    pixels = [dice.integers(0, 256, (40 + i % 7, 50, 3), dtype=np.uint8) for i in range(count)]
    for index, values in enumerate(pixels):
        values[..., index % 3] //= 4
    return [Image.fromarray(values) for values in pixels]


def make(images: list, **columns: list) -> Dataset:
    """A data set of pictures; "label" counts 0, 1, 2, 0, ... with the names of the classes."""
    columns.setdefault("label", [index % 3 for index in range(len(images))])
    kinds = {"label": ClassLabel(names=list(CLASSES))}
    features = {name: kinds[name] for name in columns if name in kinds}
    for name in columns.keys() - kinds.keys():
        features[name] = Value("int64" if isinstance(columns[name][0], int) else "string")
    return Dataset.from_dict(
        {"image": images, **columns}, Features({"image": datasets.Image(), **features})
    )


def prepare(dataset: Dataset | DatasetDict | Path, out: Path, *more: str) -> int:
    folder = dataset
    if not isinstance(dataset, Path):
        folder = out.with_name(f"{out.name}-saved")
        dataset.save_to_disk(folder)
    return main(["--dataset", str(folder), "--out", str(out), "--size", "32", *more])


def prepared(dataset: Dataset | DatasetDict | Path, out: Path, *more: str) -> PreparedSet:
    assert prepare(dataset, out, *more) == 0
    return load_prepared_set(out)


def test_classes_keep_the_names_and_the_order_of_the_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = prepared(make(pictures()), tmp_path / "set", *SHARE)
    assert "60 pictures, classes: 3 of label; 0 damaged" in capsys.readouterr().out
    assert data.label_names["attributes"] == [{"name": "label", "values": list(CLASSES)}]
    assert data.images.shape == (60, 32, 32, 3)
    assert data.images.mean(axis=(1, 2)).argmin(axis=1).tolist() == data.labels[:, 0].tolist()
    assert 4 <= len(data.splits["validation"]) <= 24 and len(data.splits["held_out"]) == 0


def test_strings_and_numbers_are_classes_and_every_column_an_attribute(tmp_path: Path) -> None:
    kinds, counts = ["round", "flat"] * 30, [10, 9, -2] * 20
    dataset = make(pictures(), kind=kinds, number=counts)
    words = ["--label-columns", "kind,number,label", *SHARE]
    data = prepared(dataset, tmp_path / "set", *words)
    assert [part["values"] for part in data.label_names["attributes"]] == [
        ["flat", "round"],
        ["-2", "9", "10"],
        list(CLASSES),
    ]
    assert data.labels[:, 0].tolist() == [1, 0] * 30
    assert data.labels[:, 1].tolist() == [2, 1, 0] * 20
    assert data.labels[:, 2].tolist() == [0, 1, 2] * 20


@pytest.mark.parametrize("name", ["category", "emoji", "style"])
def test_a_column_may_have_the_name_of_an_attribute_of_the_emoji(name: str, tmp_path: Path) -> None:
    dataset = make(pictures(), **{name: ["round", "flat"] * 30})
    words = ["--label-column", name, *SHARE]
    data = prepared(dataset, tmp_path / "set", *words)
    assert data.attributes == [name] and data.labels[:4, 0].tolist() == [1, 0, 1, 0]


def test_a_split_of_the_data_set_can_be_the_validation(tmp_path: Path) -> None:
    parts = {"train": make(pictures(30)), "test": make(pictures(30, seed=1), label=[2, 1, 0] * 10)}
    parts["other"] = make(pictures(5, seed=2))
    words = ["--validation-split", "test"]
    data = prepared(DatasetDict(parts), tmp_path / "set", *words)
    assert data.splits["train"].tolist() == list(range(30))
    assert data.splits["validation"].tolist() == list(range(30, 60))
    assert data.labels[:, 0].tolist() == [0, 1, 2] * 10 + [2, 1, 0] * 10
    alone = prepared(tmp_path / "set-saved", tmp_path / "alone", "--split", "test", *SHARE)
    assert np.array_equal(alone.images, data.images[30:])


def test_the_split_of_a_picture_does_not_depend_on_the_others(tmp_path: Path) -> None:
    def validation(count: int) -> set[bytes]:
        images = pictures(count)[::-1]
        data = prepared(make(images), tmp_path / str(count), *SHARE)
        return {data.images[row].tobytes() for row in data.splits["validation"]}

    assert validation(40) < validation(80)


def test_a_damaged_picture_gives_way_to_its_neighbour_with_its_label(
    tmp_path: Path, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    images: list = pictures(200)
    images[50], images[199] = BROKEN, None
    data = prepared(make(images), tmp_path / "set", *SHARE)
    assert "2 damaged" in capsys.readouterr().out
    assert "row 50 of train" in caplog.text and "row 199 of train" in caplog.text
    for damaged, neighbour in ((50, 51), (199, 0)):
        assert np.array_equal(data.images[damaged], data.images[neighbour])
        assert data.labels[damaged] == data.labels[neighbour]
        kept = np.isin([damaged, neighbour], data.splits["validation"])
        assert kept[0] == kept[1]


def test_a_damaged_picture_gives_way_inside_its_own_split(tmp_path: Path) -> None:
    train: list = pictures(101)
    train[100] = BROKEN
    parts = DatasetDict({"train": make(train), "test": make(pictures(9, seed=1))})
    data = prepared(parts, tmp_path / "set", "--validation-split", "test")
    assert np.array_equal(data.images[100], data.images[0]) and data.labels[100] == 0
    assert data.labels[101:, 0].tolist() == [0, 1, 2] * 3


def test_more_damaged_pictures_than_one_in_a_hundred_stop_it(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images: list = pictures(199)
    images[3], images[77] = BROKEN, {"bytes": b"", "path": None}
    assert prepare(make(images), tmp_path / "set") == 2
    said = capsys.readouterr().err
    assert "2 of 199 pictures cannot be read, more than 1.0%" in said
    assert "row 3 of train, row 77 of train" in said
    assert not (tmp_path / "set").exists()


def encoded(image: Image.Image, kind: str) -> dict:
    file = io.BytesIO()
    image.save(file, kind)
    return {"bytes": file.getvalue(), "path": None}


def test_pictures_of_every_kind_become_rgb(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
    grey = Image.new("L", (40, 40), 90)
    clear = Image.new("RGBA", (40, 40), (10, 20, 30, 0))
    palette = Image.new("RGB", (40, 40), (200, 10, 30)).quantize(4)
    deep = Image.fromarray(np.full((40, 40), 257 * 90, np.uint16))
    kinds = {
        "cmyk as datasets keeps it": (cyan, (0, 255, 255)),
        "cmyk jpeg": (encoded(cyan, "JPEG"), (0, 255, 255)),
        "grey": (grey, (90, 90, 90)),
        "grey webp": (encoded(grey, "WEBP"), (90, 90, 90)),
        "see-through": (clear, (255, 255, 255)),
        "palette": (palette, (200, 10, 30)),
        "16 bits": (deep, (90, 90, 90)),
    }
    images = [image for image, _ in kinds.values()]
    parts = DatasetDict({"train": make(images), "test": make(images[:1])})
    data = prepared(parts, tmp_path / "set", "--validation-split", "test")
    for pixels, (name, (_, colour)) in zip(data.images[:-1], kinds.items(), strict=True):
        assert np.abs(pixels.astype(int) - colour).max() <= 3, name


def test_a_damaged_tiff_is_no_picture_and_a_huge_one_is(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    huge = encoded(Image.new("1", (4001, 4000)), "TIFF")["bytes"]
    assert read_cell({"bytes": huge, "path": None}).size == (4001, 4000)
    content = encoded(Image.new("CMYK", (40, 40)), "TIFF")["bytes"][:60]
    assert prepare(make([{"bytes": content, "path": None}] * 3), tmp_path / "set") == 2
    assert "3 of 3 pictures cannot be read" in capsys.readouterr().err


def test_folders_of_pictures_and_of_parquet_files_are_opened_too(tmp_path: Path) -> None:
    for index, image in enumerate(pictures()):
        place = tmp_path / "photos" / sorted(CLASSES)[index % 3] / f"{index:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        image.save(place)
    photos = prepared(tmp_path / "photos", tmp_path / "a", *SHARE)
    assert photos.label_names["attributes"][0]["values"] == sorted(CLASSES)
    darkest = photos.images.mean(axis=(1, 2)).argmin(axis=1)
    assert darkest.tolist() == photos.labels[:, 0].tolist()
    (tmp_path / "tables").mkdir()
    make(pictures()).to_parquet(tmp_path / "tables" / "train.parquet")
    table = prepared(tmp_path / "tables", tmp_path / "b", *SHARE)
    assert table.label_names["attributes"][0]["values"] == list(CLASSES)
    ordered = sorted(pixels.tobytes() for pixels in table.images)
    assert ordered == sorted(pixels.tobytes() for pixels in photos.images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "8"], "size must be from 16 to 1024, got 8"),
        (["--validation", "nan"], "validation must be above 0 and below 0.5, got nan"),
        (["--size", "50"], "size must be a multiple of 8, such as 48 or 56, got 50"),
        (["--label-columns", "seed"], "no column 'seed' for labels"),
        (["--split", "dev"], "no split 'dev', only train"),
        (["--validation-split", "test"], "no split 'test', only train"),
        (["--validation-split", "train"], "cannot be for training and for validation"),
        (["--image-column", "img"], "the column 'img'; columns of pictures: image"),
        (["--image-column", "word"], "the column 'word'; columns of pictures: image"),
        (["--label-columns", "kind"], "no column 'kind' for labels, only image, "),
        (["--label-columns", "image"], "row 0 of the column image must be a string or a whole"),
        (["--label-columns", "hole"], "row 1 of the column hole must be a string or a whole"),
        (["--label-columns", "word,word"], "must be different ones, got ['word', 'word']"),
        (["--label-columns", "label,emoji"], "must be different ones, got ['label', 'emoji']"),
    ],
)
def test_what_does_not_do_is_one_sentence(
    arguments: list, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["a"] * 60
    dataset = make(pictures(), word=words, emoji=words, hole=["a", None] * 30)
    assert prepare(dataset, tmp_path / "set", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_rows_without_a_class_are_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    labels = [0, 1, 2, -1] * 15
    assert prepare(make(pictures(), label=labels), tmp_path / "set") == 2
    assert "row 3 of the column label must be from 0 to 2, got -1" in capsys.readouterr().err


def test_what_is_no_data_set_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "tables").mkdir()
    assert prepare(tmp_path / "tables", tmp_path / "set") == 2
    assert f"{tmp_path / 'tables'} cannot be opened: " in capsys.readouterr().err
    (tmp_path / "tables" / "train.parquet").write_bytes(b"PAR1 broken")
    assert prepare(tmp_path / "tables", tmp_path / "set") == 2
    assert f"{tmp_path / 'tables'} cannot be opened: " in capsys.readouterr().err


def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert prepare(tmp_path, tmp_path / "set") == 2
    assert "datasets is missing; run: pip install -r training" in capsys.readouterr().err
