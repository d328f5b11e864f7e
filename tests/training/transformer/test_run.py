"""What a transformer run trains."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.tiny import (
    run_tokenizer,
    run_transformer,
    transformer_arguments,
)
from training.loop.command_line import parse_settings
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings


@pytest.fixture
def tokenizer(data: Path, tmp_path: Path) -> Path:
    run_tokenizer(data, tmp_path / "made", 2)
    return tmp_path / "made" / "tokenizer"


def one_gradient(data: Path, tokenizer: Path, out: Path, *more: str) -> dict[str, torch.Tensor]:
    arguments = [*transformer_arguments(data, tokenizer, out, 4), *more]
    run = TransformerRun(parse_settings(TransformerSettings, arguments, ""))
    random = run.step_random()
    run.train_step(run.next_batch(random), random)
    return {name: master.grad.clone() for name, master in run.masters.named().items()}


@pytest.mark.parametrize("more", ["--accumulate 2", "--checkpoint-activations"])
def test_ways_to_spare_memory_do_not_change_the_gradient(
    data: Path, tokenizer: Path, tmp_path: Path, more: str
) -> None:
    plain = one_gradient(data, tokenizer, tmp_path / "a")
    spared = one_gradient(data, tokenizer, tmp_path / "b", *more.split())
    for name, gradient in plain.items():
        torch.testing.assert_close(spared[name], gradient, rtol=1e-4, atol=1e-6)


def test_parts_of_a_batch_add_up_in_float32_where_the_network_is_in_bf16(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    low = ("--mixed-precision", "bf16", "--grad-clip", "1e9")

    def is_rounded(gradients: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(g, g.bfloat16().float()) for g in gradients.values())

    whole = one_gradient(data, tokenizer, tmp_path / "a", *low)
    parts = one_gradient(data, tokenizer, tmp_path / "b", *low, "--accumulate", "4")
    assert is_rounded(whole) and not is_rounded(parts)


def test_the_loss_falls_on_a_few_pictures(data: Path, tmp_path: Path) -> None:
    run_tokenizer(data, tmp_path / "tok", 40)
    run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 40)
    for name, key in (("tok", "l1"), ("var", "entropy")):
        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        first, last = (json.loads(line)[key] for line in (lines[0], lines[-1]))
        assert last < first
    start = json.loads((tmp_path / "var" / "log.jsonl").read_text().splitlines()[0])
    assert start["entropy"] < np.log(16) * 1.05


def test_coarse_scales_are_learned_alone_and_finer_ones_later(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    coarse = tmp_path / "coarse"
    assert run_transformer(data, tokenizer, coarse, 4, "--num-scales", "2") == 0
    last = json.loads((coarse / "log.jsonl").read_text().splitlines()[-1])
    assert len(last["validation_entropy_per_scale"]) == 2
    more = ("--initial", str(coarse / "transformer"))
    assert run_transformer(data, tokenizer, tmp_path / "all", 4, *more) == 0
    last = json.loads((tmp_path / "all" / "log.jsonl").read_text().splitlines()[-1])
    assert len(last["validation_entropy_per_scale"]) == 3


def test_one_run_learns_the_coarse_scales_first(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    more = ["--num-scales", "2", "--coarse-part", "0.5"]
    arguments = [*transformer_arguments(data, tokenizer, tmp_path / "a", 4), *more]
    run = TransformerRun(parse_settings(TransformerSettings, arguments, ""))
    learned = []
    for _ in range(4):
        before = run.masters.named()["pos_embed"].detach().clone()
        random = run.step_random()
        run.train_step(run.next_batch(random), random)
        moved = (run.masters.named()["pos_embed"] != before).any(dim=2)[0]  # (L,)
        learned.append(int(moved.sum()))
    ends = run.tokenizer.schedule.token_range(1).stop, run.tokenizer.schedule.num_tokens
    assert learned == [ends[0], ends[0], ends[1], ends[1]]


def test_a_time_limit_ends_a_run_as_its_last_step_does(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a"
    assert run_transformer(data, tokenizer, out, 10**6, "--minutes", "0.02") == 0
    last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
    assert 0 < last["step"] < 10**6 and "validation_entropy" in last
    assert (out / "transformer" / "config.json").exists()


def test_a_run_whose_time_is_over_does_nothing_when_it_is_called_again(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    logs = []
    for _ in range(2):
        assert run_transformer(data, tokenizer, tmp_path / "a", 10**6, "--minutes", "0.02") == 0
        logs.append((tmp_path / "a" / "log.jsonl").read_text())
    assert logs[0] == logs[1]


def test_a_run_does_not_go_on_with_the_tokens_of_another_tokenizer(
    data: Path, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for precision in ("no", "bf16"):  # which is no other tokenizer
        more = ["--mixed-precision", precision]
        assert run_transformer(data, tokenizer, tmp_path / "a", 2, *more) == 0
    run_tokenizer(data, tmp_path / "other", 3)
    assert run_transformer(data, tmp_path / "other" / "tokenizer", tmp_path / "a", 4) == 2
    assert "was trained with another tokenizer" in capsys.readouterr().err


def test_a_limit_of_zero_leaves_gradients_as_they_are(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    plain, unclipped = (
        one_gradient(data, tokenizer, tmp_path / limit, "--grad-clip", limit)
        for limit in ("1e9", "0")
    )
    assert all(torch.equal(unclipped[name], plain[name]) for name in plain)


def test_the_learning_rate_follows_a_time_limit(
    data: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--minutes", "10", "--learning-rate", "1", "--final-ratio", "0", "--schedule", "linear"]
    arguments = [*transformer_arguments(data, tokenizer, tmp_path / "a", 10**6), *more]
    run = TransformerRun(parse_settings(TransformerSettings, arguments, ""))
    rates = []
    for minutes, run.step in ((0.1, 10), (5, 500), (9.9, 990)):
        now = run.started + 60 * minutes
        monkeypatch.setattr("training.loop.run.time.monotonic", lambda now=now: now)
        rates.append(run.set_rates())
    assert rates == pytest.approx([1.0, 0.528, 0.0107], abs=0.01)


def test_branches_need_no_factors_where_none_is_dropped(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    """The loss is bit for bit the one with factors of 1."""
    arguments = [*transformer_arguments(data, tokenizer, tmp_path / "a", 4), "--drop-path", "0"]
    run = TransformerRun(parse_settings(TransformerSettings, arguments, ""))
    random = run.step_random()
    batch = run.next_batch(random)
    assert run.kept_branches(random) is None
    losses = [run.gradients(batch, factors)[0] for factors in (None, torch.ones(2, 2, 4, 1, 1))]
    assert torch.equal(losses[0], losses[1])


@pytest.mark.parametrize("more", ["--minutes 1", "--num-scales 2 --coarse-part 0.5"])
def test_what_follows_one_clock_is_refused_for_sharded_runs(
    data: Path, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture, more: str
) -> None:
    arguments = (*more.split(), "--shard")
    assert run_transformer(data, tokenizer, tmp_path / "a", 4, *arguments) == 2
    assert "are for a run of one process without shard" in capsys.readouterr().err


def test_more_scales_than_there_are_cannot_be_learned(
    data: Path, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run_transformer(data, tokenizer, tmp_path / "a", 4, "--num-scales", "4") == 2
    assert "num_scales is 0 to 3, got 4" in capsys.readouterr().err
