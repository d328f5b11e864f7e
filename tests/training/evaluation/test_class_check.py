"""The check of classes recognises real pictures and counts drawings."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import make_tokenizer, make_transformer
from training.evaluation import class_check
from training.prepare.fashion import CLASSES, PLACE, write_set
from var_core import VARPipeline
from var_core.labels import Attribute, LabelSpace


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
