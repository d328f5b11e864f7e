"""How far drawings are from pictures, measured while a transformer is trained."""

import json
from pathlib import Path

import pytest

from tests.training.tiny import (
    different,
    final_weights,
    random_nets,
    run_tokenizer,
    run_transformer,
)

EVERY_TWO = ("--evaluate-every", "2", "--frechet-drawings", "4")
CONSTANT = ("--learning-rate", "8e-4", "--final-ratio", "1")  # whatever the number of steps


def distances(folder: Path) -> dict[int, tuple[float, float]]:
    """What the log says of drawings and of pictures, by step."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {one["step"]: (one["frechet"], one["frechet_of_real"]) for one in lines}


def test_drawings_are_measured_on_schedule_and_a_resumed_run_finds_the_same(
    data: Path, tmp_path: Path
) -> None:
    run_tokenizer(data, tmp_path / "made", 2)
    tokenizer, nets = tmp_path / "made" / "tokenizer", random_nets(tmp_path / "nets")
    more = (*EVERY_TWO, "--nets", str(nets))
    assert run_transformer(data, tokenizer, tmp_path / "whole", 4, *CONSTANT, *more) == 0
    expected = distances(tmp_path / "whole")
    assert list(expected) == [2, 4]
    assert expected[2] != expected[4]
    assert len({real for _, real in expected.values()}) == 1
    assert all(drawn > 0 and real > 0 for drawn, real in expected.values())

    assert run_transformer(data, tokenizer, tmp_path / "cut", 2, *CONSTANT, *more) == 0
    assert run_transformer(data, tokenizer, tmp_path / "cut", 4, *CONSTANT, *more) == 0
    assert distances(tmp_path / "cut") == expected
    assert different(final_weights(tmp_path / "cut"), final_weights(tmp_path / "whole")) == []
    assert run_transformer(data, tokenizer, tmp_path / "plain", 4, *CONSTANT) == 0
    assert different(final_weights(tmp_path / "plain"), final_weights(tmp_path / "whole")) == []


def test_missing_nets_are_named_before_the_first_step(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run_tokenizer(data, tmp_path / "made", 2)
    more = (*EVERY_TWO, "--nets", str(tmp_path / "none"))
    assert run_transformer(data, tmp_path / "made" / "tokenizer", tmp_path / "out", 4, *more) == 2
    assert "efficientnet_lite0.safetensors is missing; run: python -m" in capsys.readouterr().err
