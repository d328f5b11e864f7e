"""The precision that "auto" stands for."""

import pytest
import torch

from training.loop.precision import resolve_precision
from var_core.devices import pick_dtype


def test_automatic_precision_is_that_of_drawing() -> None:
    cpu = torch.device("cpu")
    expected = "bf16" if pick_dtype(cpu) == torch.bfloat16 else "no"
    assert resolve_precision("auto", cpu) == expected
    assert [resolve_precision(name, cpu) for name in ("bf16", "no")] == ["bf16", "no"]
    with pytest.raises(ValueError, match="mixed_precision must be"):
        resolve_precision("fp8", cpu)
