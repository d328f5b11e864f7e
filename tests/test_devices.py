"""Numbers that a device computes with where nobody says which."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from var_core.devices import pick_dtype


def test_bf16_that_a_gpu_emulates_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]  # the device that is asked, a new one; the second is old
    emulates = {0: False, 1: True}

    @contextmanager
    def on(device: torch.device) -> Iterator[None]:
        before, current[0] = current[0], device.index
        yield
        current[0] = before

    def supports(including_emulation: bool = True) -> bool:
        return including_emulation or not emulates[current[0]]

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supports)
    assert pick_dtype(torch.device("cuda", 0)) == torch.bfloat16
    assert pick_dtype(torch.device("cuda", 1)) == torch.float32
    assert pick_dtype(torch.device("cuda", 1), "bf16") == torch.bfloat16
