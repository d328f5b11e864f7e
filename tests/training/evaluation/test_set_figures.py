"""Figures of any model on any set: true to the pictures, whatever process makes them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.patience import LIMIT_SECONDS
from tests.server import ROOT
from tests.training.tiny import run_tokenizer, run_transformer
from training import evaluate, export
from training.evaluation.features import FEATURES_FILE, FeatureNet
from training.evaluation.set_figures import (
    Described,
    frechet_figures,
    recognition_figures,
    spread,
)
from training.tokenizer.perceptual import PERCEPTUAL_FILE, PerceptualDistance

FEW = ("--pictures", "8", "--labels", "3", "--seeds", "2")


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """Random nets in the shape of the trained ones."""
    torch.manual_seed(0)
    folder = tmp_path / "nets"
    folder.mkdir()
    for net, name in ((FeatureNet(), FEATURES_FILE), (PerceptualDistance(), PERCEPTUAL_FILE)):
        weights = {key: value.contiguous() for key, value in net.state_dict().items()}
        save_file(weights, folder / name)
    return folder


@pytest.fixture
def model(data: Path, tmp_path: Path) -> Path:
    run_tokenizer(data, tmp_path / "tok", 2)
    run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 2)
    parts = f"--tokenizer {tmp_path}/tok/tokenizer --transformer {tmp_path}/var/transformer"
    command = f"{parts} --data {data} --out {tmp_path}/model --sketch-steps 0"
    assert export.main(command.split()) == 0
    return tmp_path / "model"


@pytest.fixture
def words(data: Path, model: Path, nets: Path) -> list[str]:
    """Arguments of the command, but for its output."""
    places = {"--model": model, "--data": data, "--nets": nets}
    return [str(word) for pair in places.items() for word in pair] + list(FEW)


def test_the_command_writes_all_figures(words: list[str], tmp_path: Path) -> None:
    assert evaluate.main([*words, "--out", str(tmp_path / "one.json")]) == 0
    one = json.loads((tmp_path / "one.json").read_text())
    assert one["reconstruction"]["n"] == 2 and one["reconstruction"]["perceptual"] is not None
    assert one["frechet"]["n"] == 8 and one["recognised"].keys() == {"category", "emoji", "style"}
    assert one["diversity"]["drawn"] > 0
    with Image.open(tmp_path / "one.png") as sheet:
        assert sheet.width > 8 * 64


@pytest.mark.slow
def test_two_processes_find_the_figures_of_one(words: list[str], tmp_path: Path) -> None:
    assert evaluate.main([*words, "--out", str(tmp_path / "one.json")]) == 0
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    subprocess.run(
        [sys.executable, *torchrun, "training.evaluate", *words, "--out", tmp_path / "two.json"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        timeout=LIMIT_SECONDS,
    )
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    # all features of a random net lie so close together that rounding decides which are nearest
    assert two.pop("recognised").keys() == one.pop("recognised").keys()
    for part, figures in one.items():
        for name, value in figures.items():
            expected = None if value is None else pytest.approx(value, rel=1e-3, abs=1e-4)
            assert two[part][name] == expected, (part, name)


def described(*rows: tuple[float, float, int]) -> Described:
    table = torch.tensor(rows, dtype=torch.float32)
    return Described(table[:, :2], table[:, 2:].long())


class TwoClasses:
    label_names = {"attributes": [{"name": "class", "values": ["a", "b", "c"]}]}


def test_what_lies_nearest_to_the_mean_of_its_class_is_recognised() -> None:
    real = described((1, 0, 0), (2, 0, 0), (0, 1, 1), (0.1, 3, 1))
    drawn = described((5, 1, 0), (1, 5, 0))
    unseen = described((0, 1, 1), (1, 1, 2))  # no training picture shows the last class
    found = recognition_figures(drawn, unseen, real, TwoClasses())["class"]
    assert found == {"values": 2, "drawn": 0.5, "drawn_n": 2, "validation": 1.0, "validation_n": 1}


def test_drawings_that_are_training_pictures_are_as_far_as_those() -> None:
    real = Described(torch.randn(40, 4, generator=torch.Generator().manual_seed(0)), torch.ones(40))
    found = frechet_figures(real.every_other(0), real)
    assert found["drawn_to_real"] == found["real_to_real"] > 0
    far = frechet_figures(Described(real.features[::2] + 9, real.labels), real)
    assert far["drawn_to_real"] > 100


def test_spread_is_none_for_copies() -> None:
    assert spread(torch.ones(3, 4)) == pytest.approx(0, abs=1e-6)
    assert spread(torch.eye(3)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: names["attributes"][1].update(name="thing"), "not 'thing'"),
        (lambda names: names["attributes"][1]["values"].__setitem__(0, "e9"), "emoji"),
    ],
)
def test_labels_that_the_model_does_not_know_are_refused(
    data: Path,
    model: Path,
    nets: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    change,
    message,
) -> None:
    rows = (data / "rows.json").read_text()
    names = json.loads((data / "labels.json").read_text())
    change(names)
    (data / "labels.json").write_text(json.dumps(names))
    rows = rows.replace('"e0"', '"e9"').replace('"label"', '"label"')
    if message == "not 'thing'":
        rows = rows.replace('"label"', '"thing"').replace('"e9"', '"e0"')
    (data / "rows.json").write_text(rows)
    places = ["--model", model, "--data", data, "--nets", nets, "--out", tmp_path / "x.json"]
    assert evaluate.main([*map(str, places), *FEW]) == 2
    assert message in capsys.readouterr().err
