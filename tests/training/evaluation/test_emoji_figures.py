"""Every figure of the model card comes out, here of tiny random networks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import SIDES, make_labels, make_transformer
from training.evaluation import emoji_figures
from training.evaluation.features import FEATURES_FILE, FeatureNet
from training.evaluation.judge_network import Judge, save_judge
from training.tokenizer.perceptual import PERCEPTUAL_FILE, PerceptualDistance
from var_core import MultiScaleVQVAE, VARPipeline
from var_core.tokenizer.initial_weights import init_tokenizer

SIDE = 32


@pytest.fixture
def small_data(data: Path) -> Path:
    """The pictures at the side of the tiny tokenizer, with three of the five styles."""
    images = np.load(data / "images.npy")
    np.save(data / "images.npy", images[:, :SIDE, :SIDE])
    rows = json.loads((data / "rows.json").read_text())
    for number, row in enumerate(rows):
        row["style"] = f"s{number % 3}"
    (data / "rows.json").write_text(json.dumps(rows))
    names = json.loads((data / "labels.json").read_text())
    names["attributes"][2]["values"] = ["s0", "s1", "s2"]
    (data / "labels.json").write_text(json.dumps(names))
    return data


def save_pipeline(folder: Path) -> VARPipeline:
    tokenizer = MultiScaleVQVAE(
        SIDES, 32, 8, level_channels=(16, 32), norm_groups=8, num_blocks=1, stem_patch=4
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    pipeline = VARPipeline(tokenizer.eval(), make_transformer(), make_labels())
    assert pipeline.image_shape == (SIDE, SIDE)
    pipeline.save_pretrained(folder)
    return pipeline


def save_nets(folder: Path) -> None:
    torch.manual_seed(0)
    folder.mkdir()
    for net, name in ((FeatureNet(), FEATURES_FILE), (PerceptualDistance(), PERCEPTUAL_FILE)):
        state = {key: value.contiguous() for key, value in net.state_dict().items()}
        save_file(state, folder / name)


def test_all_figures_come_out(
    small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("NUM_FRECHET", 4), ("NUM_PAIRS", 4), ("SEEDS_PER_CATEGORY", 2)):
        monkeypatch.setattr(emoji_figures, name, value)
    save_nets(tmp_path / "nets")
    save_judge(Judge(2, hidden=8, side=32), tmp_path / "judge.safetensors")
    pipeline = save_pipeline(tmp_path / "model")
    words = f"--model {tmp_path / 'model'} --data {small_data} --nets {tmp_path / 'nets'}"
    words += f" --judge {tmp_path / 'judge.safetensors'} --out {tmp_path / 'new' / 'figures.json'}"
    assert emoji_figures.main(words.split()) == 0
    figures = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert figures["tokenizer"]["n"] == 2 and figures["tokenizer"]["psnr"] > 0
    entropies = figures["entropy_per_scale_then_all"]["held_out"]
    assert len(entropies) == len(pipeline.transformer.schedule.sides) + 1
    drawings = figures["drawings"]
    assert {name: part["n"] for name, part in drawings.items()} == {
        "trained_pairs": 4,
        "open_emoji": 4,
        "held_out_pairs": 2,
    }
    assert all(0 <= part["right"] <= 1 for part in drawings.values())
    assert figures["nearest_emoji"]["candidates"] == 4
    assert figures["frechet"]["real_to_real"] >= 0


def test_a_missing_judge_ends_the_command(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    save_pipeline(tmp_path / "model")
    words = f"--model {tmp_path / 'model'} --data {small_data} --nets {tmp_path} --judge none"
    assert emoji_figures.main([*words.split(), "--out", str(tmp_path / "figures.json")]) == 2
    assert "the judge none is missing" in capsys.readouterr().err
