"""Noise on latents and dropped scales are as strong and as frequent as asked."""

import pytest
import torch

from tests.training.tiny import random_of
from training.loop.checkpoint import step_generator
from training.tokenizer.objective import add_noise, drop_scales, view_alike
from var_core.scales import ScaleSchedule


def test_noise_on_latents_has_at_most_the_asked_strength() -> None:
    latent = torch.randn(64, 8, 4, 4, generator=step_generator(0, 3)) * 3
    assert add_noise(latent, 0.0, random_of(64)) is latent
    noise = add_noise(latent, 0.5, random_of(64)) - latent
    strengths = noise.std(dim=(1, 2, 3)) / latent.std()
    assert strengths.max() < 0.6
    assert strengths.min() < 0.1
    assert 0.15 < strengths.mean() < 0.35


def test_scales_are_dropped_as_often_as_asked() -> None:
    schedule = ScaleSchedule((1, 2, 3, 4))
    stops = drop_scales(schedule, 0.4, random_of(1000))
    assert 0.55 < (stops == 3).float().mean() < 0.65
    assert set(stops.tolist()) == {0, 1, 2, 3}
    assert (drop_scales(schedule, 0.0, random_of(1000)) == 3).all()


@pytest.mark.parametrize(("view", "side"), [("whole", 16), ("half", 8), ("crop", 8)])
def test_both_sides_are_seen_in_the_same_view(view: str, side: int) -> None:
    real = torch.rand(4, 3, 16, 16, generator=step_generator(0, 0)) * 2 - 1
    ours, theirs = view_alike(real.clone(), real, view, random_of(4))
    assert ours.shape == (4, 3, side, side) and torch.equal(ours, theirs)
