"""Weights in small files are the same weights."""

from pathlib import Path

import pytest
import torch

from tests.prompted_models import make_text_transformer
from training import weight_parts
from training.weight_parts import cut_weights, join_weights
from var_core.checkpoints import load_tokenizer, load_transformer
from var_core.tokenizer import MultiScaleVQVAE


def test_weights_come_back_in_bf16_precision(tmp_path: Path) -> None:
    make_text_transformer().save_pretrained(tmp_path / "network")
    count = cut_weights(tmp_path / "network", tmp_path / "parts", max_bytes=20_000)
    files = list((tmp_path / "parts").glob("*.safetensors"))
    assert count == len(files) > 2 and max(path.stat().st_size for path in files) < 25_000
    assert join_weights(tmp_path / "parts", tmp_path / "joined") == count
    ours, theirs = (load_transformer(tmp_path / name) for name in ("network", "joined"))
    for name, value in ours.state_dict().items():
        assert torch.equal(value.bfloat16().float(), theirs.state_dict()[name])


def test_the_codes_of_a_tokenizer_stay_exact(tmp_path: Path) -> None:
    tokenizer = MultiScaleVQVAE((1, 2), 16, 8, (32,), num_blocks=1, stem_patch=8)
    tokenizer.save_pretrained(tmp_path / "network")
    cut_weights(tmp_path / "network", tmp_path / "parts")
    join_weights(tmp_path / "parts", tmp_path / "joined")
    joined = load_tokenizer(tmp_path / "joined").state_dict()
    for name, value in tokenizer.state_dict().items():
        kept = value if name.startswith("quantizer.") else value.bfloat16().float()
        assert torch.equal(joined[name], kept)


def test_a_missing_part_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make_text_transformer().save_pretrained(tmp_path / "network")
    cut_weights(tmp_path / "network", tmp_path / "parts", max_bytes=20_000)
    next((tmp_path / "parts").glob("*.safetensors")).unlink()
    assert weight_parts.main(["join", str(tmp_path / "parts"), str(tmp_path / "joined")]) == 2
    assert "does not hold all parts" in capsys.readouterr().err
