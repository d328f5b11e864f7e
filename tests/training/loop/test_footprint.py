"""What `--dry-run` prints of both trainers."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.training.tiny import (
    random_of,
    run_tokenizer,
    tokenizer_arguments,
    transformer_arguments,
)
from training import train_tokenizer, train_transformer
from training.data.prepared_pictures import PreparedPictures
from training.loop.command_line import parse_settings
from training.loop.dry_run import Trial, expected_duration
from training.loop.picture_random import PictureRandom
from training.tokenizer.settings import TokenizerSettings
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
    told = capsys.readouterr().out
    assert f"parameters: {count:,}" in told and "expected duration: " in told
    tokens = tmp_path / "tokens"
    arguments = [*transformer_arguments(data, tokenizer, out, 4), "--dry-run"]
    arguments += ["--tokens", str(tokens)]
    assert train_transformer.main(arguments) == 0
    told = capsys.readouterr().out
    assert "batch_size: 4" in told and "expected duration: " in told
    plain, checkpointed, halved = (
        transformer_footprint(parse_settings(TransformerSettings, [*arguments, *more], ""))
        for more in ([], ["--checkpoint-activations"], ["--accumulate", "2"])
    )
    assert checkpointed.memory["activations"] < 0.7 * plain.memory["activations"]
    assert halved.memory["activations"] < 0.7 * plain.memory["activations"]
    assert not out.exists() and not tokens.exists()


@pytest.mark.parametrize(("most_seconds", "count"), [(30.0, 3), (1.0, 1)])
def test_the_duration_is_that_of_all_steps_and_of_what_comes_before(
    most_seconds: float, count: int
) -> None:
    """A hundred hours before the first step, then as many steps as there are."""
    clock = SimpleNamespace(now=0.0)

    class Slow:
        """Nine seconds to compile, then two a step."""

        step = 0

        def step_random(self) -> PictureRandom:
            return random_of(1, self.step)

        def next_batch(self, random: PictureRandom) -> None: ...

        def train_step(self, batch: None, random: PictureRandom) -> dict:
            clock.now += 2.0 if self.step else 9.0
            self.step += 1
            return {"loss": torch.tensor(0.0)}

        def close(self) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        for module in ("speed", "dry_run"):
            patch.setattr(f"training.loop.{module}.monotonic", lambda: clock.now)
        patch.setattr("training.loop.dry_run.MOST_SECONDS", most_seconds)
        told = expected_duration(
            parse_settings(TokenizerSettings, ["--data", "d", "--out", "o", "--steps", "1001"], ""),
            lambda settings, folder: Trial(Slow(), 360_000.0),
        )
    assert told.startswith("expected duration: 4 days, 4:33:29, until ")
    assert "4 days, 4:00:00 before it, 9 s for the first step, 2 s for each of the others" in told
    assert told.endswith(f"{count} of which were measured")


def test_a_run_that_does_not_fit_is_not_measured(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.loop.dry_run.free_memory", lambda device: 1000)
    arguments = [*tokenizer_arguments(data, tmp_path / "planned", 4), "--dry-run"]
    assert train_tokenizer.main(arguments) == 0
    assert "not measured, as the run needs more memory than is free" in capsys.readouterr().out


def test_a_few_pictures_of_each_split_stand_for_a_set(data: Path) -> None:
    whole = PreparedPictures.open(data)
    few = whole.few(2)
    assert {name: len(rows) for name, rows in few.data.splits.items()} == {
        "train": 2,
        "validation": 2,
        "held_out": 2,
    }
    for split in few.data.splits:
        ours, theirs = few.fixed(split, 2), whole.fixed(split, 2)
        assert torch.equal(ours.images, theirs.images) and torch.equal(ours.labels, theirs.labels)


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
        random = run.step_random()
        run.train_step(run.next_batch(random), random)
    measured = sum(storage.nbytes() for storage in kept.values())
    assert planned == pytest.approx(measured, rel=0.1)
