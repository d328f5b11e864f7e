"""The precision that "auto" stands for."""

import pytest
import torch

from training.loop.command_line import parse_settings
from training.loop.precision import resolve_precision
from training.transformer.settings import TransformerSettings
from var_core.devices import pick_dtype


def test_automatic_precision_is_that_of_drawing() -> None:
    cpu = torch.device("cpu")
    expected = "bf16" if pick_dtype(cpu) == torch.bfloat16 else "no"
    assert resolve_precision("auto", cpu) == expected
    assert [resolve_precision(name, cpu) for name in ("bf16", "no")] == ["bf16", "no"]
    with pytest.raises(ValueError, match="mixed_precision must be"):
        resolve_precision("int8", cpu)


def test_float16_is_refused_with_a_sentence_wherever_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sentence = "fp16 is not supported, as small gradients vanish in it: choose bf16"
    with pytest.raises(ValueError, match=sentence):
        parse_settings(
            TransformerSettings,
            ["--data", "d", "--out", "o", "--tokenizer", "t", "--mixed-precision", "fp16"],
            "",
        )
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    with pytest.raises(ValueError, match=sentence):
        resolve_precision("auto", torch.device("cpu"))
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert resolve_precision("auto", torch.device("cpu")) == "bf16"
