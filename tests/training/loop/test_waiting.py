"""A step hands its work to the device and waits for nothing; only a line of the log does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.tiny import run_tokenizer, tokenizer_arguments, transformer_arguments
from training.loop.command_line import parse_settings
from training.loop.run import Run
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings

WAITING = ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy")


def make_tokenizer_run(data: Path, out: Path) -> Run:
    arguments = [*tokenizer_arguments(data, out, 20), "--restart-until", "0"]
    return TokenizerRun(parse_settings(TokenizerSettings, arguments, ""))


def make_transformer_run(data: Path, out: Path) -> Run:
    run_tokenizer(data, out / "made", 2)
    arguments = transformer_arguments(data, out / "made" / "tokenizer", out, 20)
    arguments += ["--accumulate", "2", "--self-correction", "0.2"]
    return TransformerRun(parse_settings(TransformerSettings, arguments, ""))


@pytest.mark.parametrize("make_run", [make_tokenizer_run, make_transformer_run])
def test_a_step_asks_for_no_value(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_run: Callable[[Path, Path], Run],
) -> None:
    run = make_run(data, tmp_path)
    for step in range(4):
        random = run.step_random()
        batch = run.next_batch(random)
        with monkeypatch.context() as patch:
            if step == 3:  # the first ones fit codes and allocate
                for name in WAITING:
                    patch.setattr(torch.Tensor, name, refuse)
            figures = run.train_step(batch, random)
    assert isinstance(figures["loss"], torch.Tensor)
    assert run.skipped == 0 and run.step == 4


def refuse(self: torch.Tensor, *arguments: object) -> None:
    raise AssertionError("a value was asked for")
