"""What `--dry-run` prints of both trainers."""

from pathlib import Path

import pytest
import torch

from tests.training.tiny import (
    run_tokenizer,
    tokenizer_arguments,
    transformer_arguments,
)
from training import train_tokenizer, train_transformer
from training.loop.checkpoint import step_generator
from training.loop.command_line import parse_settings
from training.transformer.footprint import transformer_footprint
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from var_core.checkpoints import load_tokenizer


@pytest.fixture
def tokenizer(data: Path, tmp_path: Path) -> Path:
    run_tokenizer(data, tmp_path / "made", 2)
    return tmp_path / "made" / "tokenizer"


def test_the_plan_of_a_run_names_settings_sizes_and_memory(
    data: Path, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "planned"
    assert train_tokenizer.main([*tokenizer_arguments(data, out, 4), "--dry-run"]) == 0
    count = sum(p.numel() for p in load_tokenizer(tokenizer).parameters())
    assert f"parameters: {count:,}" in capsys.readouterr().out
    arguments = [*transformer_arguments(data, tokenizer, out, 4), "--dry-run"]
    assert train_transformer.main(arguments) == 0
    assert "batch_size: 4" in capsys.readouterr().out
    plain, checkpointed, halved = (
        transformer_footprint(parse_settings(TransformerSettings, [*arguments, *more], ""))
        for more in ([], ["--checkpoint-activations"], ["--accumulate", "2"])
    )
    assert checkpointed.memory["activations"] < 0.7 * plain.memory["activations"]
    assert halved.memory["activations"] < 0.7 * plain.memory["activations"]
    assert not out.exists()


def test_the_plan_counts_what_a_real_step_keeps(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    arguments = transformer_arguments(data, tokenizer, tmp_path / "run", 4)
    config = parse_settings(TransformerSettings, [*arguments, "--width", "256"], "")
    planned = transformer_footprint(config).memory["activations"]
    run = TransformerRun(config)
    kept = {}
    weights = {value.untyped_storage().data_ptr() for value in run.objective.state_dict().values()}

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        generator = step_generator(0, 0)
        run.train_step(run.next_batch(generator), generator)
    measured = sum(storage.nbytes() for storage in kept.values())
    assert planned == pytest.approx(measured, rel=0.1)
