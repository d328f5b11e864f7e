"""Latents of scenes are made once and shared by all runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from training.study.kept_latents import KeptLatents

SHAPE = (6, 2, 3, 3)


def test_each_scene_is_encoded_once_whoever_asks_for_it(tmp_path: Path) -> None:
    made: list[int] = []

    def make(numbers: Sequence[int]) -> torch.Tensor:
        made.extend(numbers)
        return torch.stack([torch.full(SHAPE[1:], 0.1 + number) for number in numbers])

    path = tmp_path / "pool" / "latents.npy"
    first = KeptLatents(path, SHAPE).rows([4, 1], make)
    assert first.dtype == torch.float32 and first.shape == (2, *SHAPE[1:])
    torch.testing.assert_close(first[:, 0, 0, 0], torch.tensor([4.1, 1.1]), atol=3e-3, rtol=0)
    again = KeptLatents(path, SHAPE).rows([1, 5, 4], make)
    assert made == [4, 1, 5]
    assert torch.equal(again[[2, 0]], first)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latents.npy"
    KeptLatents(path, SHAPE)
    with pytest.raises(
        ValueError, match=r"holds float16 \(6, 2, 3, 3\), not float16 \(7, 2, 3, 3\)"
    ):
        KeptLatents(path, (7, 2, 3, 3))
