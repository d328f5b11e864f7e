"""A tiny model of the made-up pictures, and nets to measure it with."""

from pathlib import Path

import pytest

from tests.training.tiny import random_nets, run_tokenizer, run_transformer
from training import export


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    return random_nets(tmp_path / "nets")


@pytest.fixture
def model(data: Path, tmp_path: Path) -> Path:
    run_tokenizer(data, tmp_path / "tok", 2)
    run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 2)
    parts = f"--tokenizer {tmp_path}/tok/tokenizer --transformer {tmp_path}/var/transformer"
    command = f"{parts} --data {data} --out {tmp_path}/model --sketch-steps 0"
    assert export.main(command.split()) == 0
    return tmp_path / "model"
