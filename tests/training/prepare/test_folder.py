"""From a folder of anybody's pictures to a model that draws its classes."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.training.tiny import TINY_TOKENIZER, TINY_TRANSFORMER
from training import export, train_tokenizer, train_transformer
from training.data.prepared_set import load_prepared_set
from training.prepare import folder as prepare_folder
from var_core import VARPipeline, generators_from_seeds

CLASSES = ("apple", "pear", "plum")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Sixty pictures of three classes, of several kinds and sizes."""
    folder, dice = tmp_path / "photos", np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (folder / name / "more").mkdir(parents=True)
        for index in range(20):
            pixels = dice.integers(0, 256, (70 + index, 80, 3), dtype=np.uint8)
            pixels[..., number] //= 4
            ending = ("png", "jpg", "webp", "jpeg")[index % 4]
            place = folder / name / "more" if index % 5 == 0 else folder / name
            Image.fromarray(pixels).save(place / f"{index:02d}.{ending}")
    (folder / "notes.txt").write_text("no class")
    (folder / "apple" / "notes.txt").write_text("no picture")
    return folder


def test_names_of_any_bytes_have_a_split() -> None:
    path = Path(os.fsdecode(b"apple/caf\xe9.png"))
    assert prepare_folder.identity(path) == b"apple/caf\xe9.png"


def prepare(photos: Path, out: Path, *more: str) -> int:
    return prepare_folder.main(["--images", str(photos), "--out", str(out), *more])


def test_a_folder_becomes_a_set_whose_classes_are_its_folders(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "set"
    assert prepare(photos, out, "--validation", "0.2", "--attribute", "fruit") == 0
    assert "60 pictures of 3 classes, 0 damaged" in capsys.readouterr().out
    data = load_prepared_set(out)
    assert data.images.shape == (60, 64, 64, 3) and data.attributes == ["fruit"]
    assert data.label_names["attributes"][0]["values"] == list(CLASSES)
    assert np.array_equal(data.labels[:, 0], np.repeat(range(3), 20))
    assert 4 <= len(data.splits["validation"]) <= 24 and len(data.splits["held_out"]) == 0
    for row, label in ((0, 0), (25, 1), (45, 2)):
        assert data.images[row].mean(axis=(0, 1)).argmin() == label


def test_the_split_of_a_picture_does_not_depend_on_the_others(photos: Path, tmp_path: Path) -> None:
    def validation(out: Path) -> set[bytes]:
        prepare(photos, out, "--validation", "0.2")
        data = load_prepared_set(out)
        return {data.images[row].tobytes() for row in data.splits["validation"]}

    before = validation(tmp_path / "before")
    for index in range(20):
        Image.new("RGB", (64, 64), (index, 0, 0)).save(photos / "apple" / f"new{index}.png")
    assert before <= validation(tmp_path / "after")


def test_damaged_pictures_are_replaced_and_many_stop_it(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for index in range(100):
        Image.new("RGB", (64, 64), (0, index, 0)).save(photos / "plum" / f"z{index:03d}.png")
    (photos / "plum" / "z050.png").write_bytes(b"broken")
    assert prepare(photos, tmp_path / "set") == 0
    assert "1 damaged" in capsys.readouterr().out
    data = load_prepared_set(tmp_path / "set")
    files = sorted((photos / "plum").rglob("*.*"))
    place = 40 + files.index(photos / "plum" / "z050.png")
    assert np.array_equal(data.images[place], data.images[place + 1])
    (photos / "plum" / "z060.png").write_bytes(b"")
    assert prepare(photos, tmp_path / "other") == 2
    assert "2 of 160 pictures cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_damaged_picture_takes_the_class_and_the_split_of_its_neighbour(
    photos: Path, tmp_path: Path
) -> None:
    for index in range(140):
        Image.new("RGB", (64, 64), (0, index, 0)).save(photos / "plum" / f"z{index:03d}.png")
    prepare(photos, tmp_path / "before", "--validation", "0.2")
    kept = set(load_prepared_set(tmp_path / "before").splits["validation"])
    last_apple = 19
    alone = next(row for row in kept if row > 60 and row + 1 not in kept)
    files = sorted(path for path in photos.rglob("*.*") if path.suffix != ".txt")
    for row in (last_apple, alone):
        files[row].write_bytes(b"broken")
    prepare(photos, tmp_path / "after", "--validation", "0.2")
    data = load_prepared_set(tmp_path / "after")
    assert np.array_equal(data.images[last_apple], data.images[20])
    assert data.labels[last_apple] == data.labels[20] == CLASSES.index("pear")
    assert alone in data.splits["train"] and alone + 1 in data.splits["train"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "8"], "size must be from 16 to 1024"),
        (["--validation", "0"], "validation must be above 0"),
        (["--validation", "nan"], "validation must be above 0"),
        (["--images", "nowhere"], "there is no folder nowhere"),
        (["--size", "50"], "size must be a multiple of 8, such as 48 or 56, got 50"),
        (["--max-bad-share", "2"], "max_bad_share must be from 0 to 1"),
        (["--attribute", "seed"], "an attribute cannot be called 'seed'"),
        (["--attribute", "a%d"], "an attribute cannot be called 'a%d'"),
    ],
)
def test_bad_settings_are_one_sentence(
    photos: Path, tmp_path: Path, arguments: list, message: str, capsys: pytest.CaptureFixture
) -> None:
    for one in photos.rglob("*.jpg"):
        one.write_bytes(b"broken")  # which would be said, had a picture been read
    assert prepare(photos, tmp_path / "set", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "cannot be read" not in error


def test_folders_without_classes_or_pictures_are_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert prepare(photos / "plum" / "more", tmp_path / "set") == 2
    assert "has no sub-folders" in capsys.readouterr().err
    (photos / "quince").mkdir()
    assert prepare(photos, tmp_path / "set") == 2
    assert "quince has no pictures; what is read ends with" in capsys.readouterr().err


def test_from_a_folder_of_pictures_to_a_model_that_draws(photos: Path, tmp_path: Path) -> None:
    data, runs, model = tmp_path / "set", tmp_path / "runs", tmp_path / "model"
    prepare(photos, data, "--validation", "0.2")
    shared = f"--data {data} --steps 4 --mixed-precision no"
    words = f"{shared} --out {runs / 'tok'} --nets {tmp_path / 'none'} {TINY_TOKENIZER}"
    train_tokenizer.main(words.split())
    tokenizer = runs / "tok" / "tokenizer"
    words = f"{shared} --out {runs / 'var'} --tokenizer {tokenizer} {TINY_TRANSFORMER}"
    train_transformer.main(words.split())
    records = [json.loads(line) for line in (runs / "var" / "log.jsonl").read_text().splitlines()]
    assert any("validation_entropy" in record for record in records)
    words = f"--tokenizer {tokenizer} --transformer {runs / 'var' / 'transformer'} --data {data}"
    assert export.main([*words.split(), "--out", str(model), "--sketch-steps", "4"]) == 0
    pipeline = VARPipeline.from_pretrained(model)
    assert pipeline.tokenizer.sketch is not None
    assert pipeline.labels.attributes[0].values == CLASSES
    drawn = pipeline(["pear", None], generator=generators_from_seeds([1, 2]))
    assert drawn.images[0].size == (64, 64) and drawn.labels == [(1,), (3,)]


def test_pictures_of_another_size_than_the_model_are_refused_at_once(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    prepare(photos, tmp_path / "set", "--size", "32", "--validation", "0.2")
    words = f"--data {tmp_path / 'set'} --out {tmp_path / 'run'} --steps 4 --mixed-precision no"
    assert train_tokenizer.main([*words.split(), *TINY_TOKENIZER.split()]) == 2
    message = capsys.readouterr().err
    assert "32 pixels a side, the tokenizer takes 64" in message and "--sides" in message


def test_large_photos_of_many_formats_are_read_and_the_rest_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        for ending in ("gif", "bmp", "tif", "jfif", "avif", "PNG"):
            kind = {"jfif": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
            Image.new("RGB", (40, 30), "red").save(photos / name / f"x.{ending}", kind)
        (photos / name / "y.heic").write_bytes(b"no reader")
    Image.new("RGB", (5000, 4000), "red").save(photos / "cat" / "large.jpg", quality=10)
    assert prepare(photos, tmp_path / "set", "--size", "16") == 0
    assert "13 pictures of 2 classes, 0 damaged" in capsys.readouterr().out
    assert "passed over: .heic (2); convert pictures among them to PNG or JPEG" in caplog.text


def test_leftovers_of_systems_and_tools_are_passed_over_at_every_level(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    for path in list(photos.rglob("*.*")):
        path.with_name(f"._{path.name}").write_bytes(b"no picture")
    for name in ("__MACOSX", ".git", "@eaDir", "apple/.thumbnails", "apple/more/@eaDir"):
        (photos / name).mkdir()
        (photos / name / "small.jpg").write_bytes(b"no picture")
    (photos / "apple" / "Thumbs.db").write_bytes(b"no picture")
    assert prepare(photos, tmp_path / "set") == 0
    assert "60 pictures of 3 classes, 0 damaged" in capsys.readouterr().out
    assert caplog.text.count("passed over: ") == 1 and "tools (67)" not in caplog.text
    assert "leftovers of systems and tools" in caplog.text


def test_every_class_has_pictures_for_validation_and_for_training(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    photos = tmp_path / "photos"
    for name, count in (("many", 20), ("two", 2), ("one", 1)):
        (photos / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (20, 20), (index, 0, 0)).save(photos / name / f"{index}.png")
    for share in ("0.01", "0.49"):
        assert prepare(photos, tmp_path / share, "--validation", share) == 0
        data = load_prepared_set(tmp_path / share)
        of_class = {
            split: np.bincount(data.labels[rows, 0], minlength=3)
            for split, rows in data.splits.items()
        }
        many, one, two = range(3)
        assert of_class["validation"][one] == 0 and of_class["train"][one] == 1
        assert of_class["validation"][two] == of_class["train"][two] == 1
        assert of_class["validation"][many] >= 1 and of_class["train"][many] >= 1
    for path in (*(photos / "many").glob("?*.png"), photos / "two" / "0.png"):
        if path.name != "0.png" or path.parent.name == "two":
            path.unlink()
    assert prepare(photos, tmp_path / "none") == 2
    said = capsys.readouterr().err
    assert "no class has two of the 3 pictures" in said
    assert "--validation is the share of each class" in said


def test_more_damaged_pictures_can_be_allowed(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    for name in ("01.jpg", "02.webp", "03.jpeg"):
        (photos / "plum" / name).write_bytes(b"broken")
    assert prepare(photos, tmp_path / "set") == 2
    said = capsys.readouterr().err
    assert "3 of 60 pictures cannot be read, more than 1.0%; --max-bad-share 0.06 would" in said
    assert prepare(photos, tmp_path / "set", "--max-bad-share", "0.06") == 0
    assert "01.jpg is replaced by" in caplog.text
    assert "plum/04.png: 01.jpg is not a readable picture" in caplog.text


def test_more_pictures_than_fit_into_memory_are_refused_at_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    free = SimpleNamespace(available=60 * 64 * 64 * 3)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    assert prepare(photos, tmp_path / "set") == 2
    said = capsys.readouterr().err
    assert "60 pictures of 64 pixels take 0.0 GB" in said and "training.prepare.shards" in said
    assert not (tmp_path / "set").exists()


def test_links_back_to_a_folder_above_are_not_followed(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = next(path for path in sorted(photos.iterdir()) if path.is_dir())
    plain = prepare_folder.find_pictures(photos)
    (place / "inner").mkdir()
    for name, goal in (("loop", place), ("all", photos), ("inner/up", place)):
        (place / name).symlink_to(goal, target_is_directory=True)
    assert prepare_folder.find_pictures(photos) == plain
    assert "links to a folder that they lie in (3)" in caplog.text


def test_a_class_whose_name_is_no_text_is_named(photos: Path) -> None:
    try:
        (photos / "\udcff").mkdir()
    except OSError:
        pytest.skip("the file system takes Unicode names only")
    with pytest.raises(ValueError, match=r"folder '\\udcff' is no UTF-8 text"):
        prepare_folder.find_pictures(photos)
