"""Recipes: what they run, and what the check at their end finds."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import make_tokenizer, make_transformer
from tests.server import ROOT
from training import recipe
from training.data.picture_data import load_picture_data
from training.evaluation import class_check
from training.loop.config import parse_config
from training.prepare.fashion import CLASSES, PLACE, main, read_idx, write_set
from training.train_tokenizer import TokenizerTrainConfig
from training.transformer.objective import TransformerTrainConfig
from var_core import VARPipeline
from var_core.labels import Attribute, LabelSpace

RECIPES = sorted((ROOT / "training" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_holds_settings_that_the_trainers_know(path: Path) -> None:
    first, second, *_ = recipe.commands(recipe.read_recipe(path, []))
    tokenizer = parse_config(TokenizerTrainConfig, first[1:], "")
    transformer = parse_config(TransformerTrainConfig, second[1:], "")
    assert transformer.tokenizer == f"{tokenizer.out}/tokenizer"
    assert transformer.data == tokenizer.data


def test_changes_reach_the_commands(capsys: pytest.CaptureFixture) -> None:
    changes = ["transformer.steps=7", "out=runs/other", "tokenizer.sides=[1, 4]"]
    assert recipe.main([str(RECIPES[0]), *changes, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "--steps 7" in said and "runs/other/model" in said and "--sides 1 4 " in said
    assert recipe.flags({"compile": False, "a_b": 1}) == ["--no-compile", "--a-b", "1"]


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("{", [], "cannot be read"),
        ("[]", [], "has no sections tokenizer and transformer"),
        ("{tokenizer: {}, transformer: {}, out: x}", [], "does not say data"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y, more: 1}", [], "'more'"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["steps"], "a change is like"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["a.b=1"], "a change is like"),
    ],
)
def test_malformed_recipes_are_one_sentence(
    tmp_path: Path, content: str, changes: list, message: str, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "r.yaml").write_text(content)
    assert recipe.main([str(tmp_path / "r.yaml"), *changes]) == 2
    assert message in capsys.readouterr().err


def test_a_part_that_fails_ends_the_recipe(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    content = f"{{tokenizer: {{}}, transformer: {{}}, out: {tmp_path / 'o'}, data: {tmp_path}}}"
    (tmp_path / "r.yaml").write_text(content)
    assert recipe.main([str(tmp_path / "r.yaml")]) == 2
    said = capfd.readouterr()
    assert "holds no usable picture set" in said.err and "train_transformer" not in said.out


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
    data = load_picture_data(tmp_path / "set")
    assert data.images.shape == (60, 32, 32, 3)
    assert data.label_names["attributes"][0]["values"] == list(CLASSES)
    assert (data.images[13, 2:30, 2:30] == 75).all() and (data.images[13, :2] == 0).all()
    assert list(data.splits["validation"]) == list(range(40, 60))


def test_what_is_no_fashion_mnist_is_refused(
    fashion: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images = fashion / "train-images-idx3-ubyte.gz"
    with pytest.raises(ValueError, match="no IDX file of 1 dimensions"):
        read_idx(images, 0x801)
    images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-5]))
    with pytest.raises(ValueError, match="is cut off"):
        read_idx(images, 0x803)
    assert main(["--out", str(tmp_path / "x"), "--package", str(images)]) == 2
    assert "has the SHA-256" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "x"), "--package", str(tmp_path / "none.deb")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_the_check_recognises_real_pictures_and_counts_drawings(
    fashion: Path, tmp_path: Path
) -> None:
    write_set(fashion, tmp_path / "set")
    names = LabelSpace((Attribute("class", CLASSES),))
    VARPipeline(make_tokenizer(), make_transformer((10,)), names).save_pretrained(tmp_path / "m")
    words = f"--data {tmp_path / 'set'} --model {tmp_path / 'm'} --out {tmp_path} --steps 150"
    assert class_check.main([*words.split(), "--per-class", "2", "--batch-size", "20"]) == 0
    figures = json.loads((tmp_path / "classes.json").read_text())
    assert figures["real_right"] > 0.6 and figures["real_n"] == 20
    assert 0 <= figures["drawn_right"] <= 1 and figures["drawn_n"] == 20
    assert (tmp_path / "classes.png").exists() and set(figures["per_class"]) == set(CLASSES)


def test_a_model_of_other_classes_is_refused(
    fashion: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_set(fashion, tmp_path / "set")
    VARPipeline(make_tokenizer(), make_transformer((10,))).save_pretrained(tmp_path / "m")
    words = f"--data {tmp_path / 'set'} --model {tmp_path / 'm'} --out {tmp_path}"
    assert class_check.main(words.split()) == 2
    assert "are not those of" in capsys.readouterr().err
