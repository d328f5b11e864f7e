"""What a tokenizer run trains, by the command."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.tiny import (
    different,
    run_tokenizer,
    run_transformer,
    tokenizer_arguments,
)
from training.loop.command_line import parse_settings
from training.tokenizer.footprint import tokenizer_footprint
from training.tokenizer.perceptual import PerceptualDistance
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings
from var_core.checkpoints import load_tokenizer
from var_core.tokenizer import BinarySphericalQuantizer


def test_the_tokenizer_learns_with_all_its_losses(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trained perceptual net is no part of the repository; a random one has the same shape."""

    def load(folder: str) -> PerceptualDistance:
        torch.manual_seed(0)
        return PerceptualDistance()

    monkeypatch.setattr("training.tokenizer.run.load_perceptual", load)
    more = (
        f"--nets {data} --adversarial-weight 0.3 --adversarial-after 0.5 --latent-noise 0.2 "
        "--scale-dropout 0.2 --adversary-channels 16"
    )
    assert run_tokenizer(data, tmp_path, 40, *more.split()) == 0
    first, *_, last = (
        json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()
    )
    assert last["l1"] < first["l1"]
    assert last["perceptual"] > 0
    assert "adversarial" not in first
    assert 0 < last["adversary"] < 2
    assert len(last["entropy_bits_per_scale"]) == 3
    assert list((tmp_path / "tensorboard").iterdir())


def first_moments(data: Path, out: Path, *more: str) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and first moments of AdamW, a tenth of the gradient, of a first step."""
    arguments = tokenizer_arguments(data, out, 4)
    arguments += ["--adversarial-weight", "0.5", "--adversarial-after", "0.5"]
    arguments += ["--grad-clip", "1e9", *more]
    run = TokenizerRun(parse_settings(TokenizerSettings, arguments, ""))
    random = run.step_random()
    figures = run.train_step(run.next_batch(random), random)
    state = run.optimizer.state
    named = run.tokenizer.named_parameters()
    return figures["l1"].item(), {n: state[p]["exp_avg"] for n, p in named if p in state}


@pytest.mark.filterwarnings("default::DeprecationWarning")  # torch's compiler deprecates itself
@pytest.mark.parametrize(
    "more",
    [
        "--accumulate 2",
        "--accumulate 4 --scale-dropout 0.25 --latent-noise 0.3",
        "--checkpoint-activations",
        pytest.param(
            "--compile --checkpoint-activations --adversarial-after 0", marks=pytest.mark.slow
        ),
    ],
)
def test_ways_to_spare_memory_or_time_do_not_change_the_gradient(
    data: Path, tmp_path: Path, more: str
) -> None:
    same = [] if "after" not in more else ["--adversarial-after", "0"]
    if "noise" in more:
        same = more.split()[2:]
    loss, whole = first_moments(data, tmp_path / "a", *same)
    again, spared = first_moments(data, tmp_path / "b", *more.split())
    assert whole and again == pytest.approx(loss, rel=1e-5)
    for name, moment in whole.items():
        torch.testing.assert_close(spared[name], moment, rtol=1e-3, atol=1e-6)


def test_blocks_that_run_again_keep_less_for_their_gradient(data: Path, tmp_path: Path) -> None:
    """Also in the plan that `--dry-run` prints."""
    kept = []
    for more in ([], ["--checkpoint-activations"]):
        arguments = [*tokenizer_arguments(data, tmp_path, 4), *more]
        settings = parse_settings(TokenizerSettings, arguments, "")
        kept.append(tokenizer_footprint(settings).memory["activations"])
    assert kept[1] < 0.6 * kept[0]


def test_a_run_in_parts_uses_codes_and_an_adversary(data: Path, tmp_path: Path) -> None:
    more = "--accumulate 2 --adversarial-weight 0.5 --adversarial-after 0.5"
    assert run_tokenizer(data, tmp_path, 8, *more.split()) == 0
    *_, line = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["adversary"] > 0 and json.loads(line)["codes_used"] > 0


def test_binary_codes_are_trained_by_the_same_command(data: Path, tmp_path: Path) -> None:
    more = "--code-kind bsq --code-dim 5 --vocab-size 32 --num-refine 3"
    assert run_tokenizer(data, tmp_path / "tok", 40, *more.split()) == 0
    tokenizer = load_tokenizer(tmp_path / "tok" / "tokenizer")
    assert isinstance(tokenizer.quantizer, BinarySphericalQuantizer)
    first, *_, last = (
        json.loads(line) for line in (tmp_path / "tok" / "log.jsonl").read_text().splitlines()
    )
    assert last["l1"] < first["l1"]
    assert last["codes_used"] > 0.3
    assert run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 4) == 0


def test_a_decoder_alone_learns_without_a_token_changing(data: Path, tmp_path: Path) -> None:
    run_tokenizer(data, tmp_path / "first", 8)
    trained = tmp_path / "first" / "tokenizer"
    more = ["--initial", str(trained), "--decoder-only", "--latent-noise", "0.1"]
    assert run_tokenizer(data, tmp_path / "second", 8, *more) == 0
    before = load_tokenizer(trained).state_dict()
    after = load_tokenizer(tmp_path / "second" / "tokenizer").state_dict()
    changed = different(before, after)
    assert changed
    assert all(name.startswith(("decoder.", "post_quant.")) for name in changed)
