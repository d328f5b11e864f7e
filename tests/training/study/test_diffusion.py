"""Diffusion on latents: its parts, its noise, and its way back."""

from itertools import pairwise

import pytest
import torch

from tests.prompted_models import SLOTS, STYLES, TEXT_DIM, prompted
from tests.training.tiny import random_of
from training.study.diffusion_drawing import draw_latents, noisy
from training.study.diffusion_network import DiffusionTransformer
from training.study.settings import RivalSettings
from training.study.sizes import Size, count_outside_tables
from var_core.condition import join_conditions
from var_core.sampling import generators_from_seeds
from var_core.transformer import init_weights

SIDE, CHANNELS = 3, 5
ASKED = join_conditions((prompted(1, 2, style=0), prompted(4)))


def make_network() -> DiffusionTransformer:
    network = DiffusionTransformer(
        side=SIDE,
        channels=CHANNELS,
        label_counts=[STYLES],
        depth=2,
        width=16,
        num_heads=2,
        text_dim=TEXT_DIM,
        max_phrases=SLOTS,
    )
    init_weights(network, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return network.eval().requires_grad_(False)


NETWORK = make_network()


def test_velocity_depends_on_noise_time_and_condition() -> None:
    latents = torch.randn(2, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    times = torch.tensor([100.0, 900.0])
    found = NETWORK.velocity(latents, times, ASKED)
    assert found.shape == latents.shape
    others = (
        NETWORK.velocity(latents.flip(2), times, ASKED),
        NETWORK.velocity(latents, times / 2, ASKED),
        NETWORK.velocity(latents, times, NETWORK.null_condition(2)),
    )
    for other in others:
        assert ((found - other).abs().amax(dim=(1, 2, 3)) > 1e-3).all()
    alone = NETWORK.velocity(latents[1:], times[1:], ASKED.rows(slice(1, 2)))
    torch.testing.assert_close(alone, found[1:], atol=1e-5, rtol=1e-4)


def test_noisy_latents_lie_on_the_line_between_picture_and_noise() -> None:
    latents = torch.randn(64, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    mixed, times, velocity = noisy(latents, random_of(64))
    part = (times / 1000).view(-1, 1, 1, 1)
    torch.testing.assert_close(mixed, latents + part * velocity, atol=1e-5, rtol=1e-5)
    assert 0 < times.min() < 200 and 800 < times.max() <= 1000
    assert (velocity + latents).std() == pytest.approx(1.0, abs=0.05)  # the noise


@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_drawing_is_that_of_euler_steps_by_hand(guidance: float) -> None:
    steps = 7
    drawn = draw_latents(NETWORK, ASKED, steps, guidance, generators_from_seeds([4, 5]))
    shape = CHANNELS, SIDE, SIDE
    latents = torch.stack([torch.randn(shape, generator=g) for g in generators_from_seeds([4, 5])])
    levels = torch.linspace(1.0, 0.0, steps + 1).tolist()
    nothing = NETWORK.null_condition(2)
    for level, following in pairwise(levels):
        times = torch.full((2,), 1000 * level)
        known, free = (NETWORK.velocity(latents, times, one) for one in (ASKED, nothing))
        latents = latents + (following - level) * (known + guidance * (known - free))
    torch.testing.assert_close(drawn, latents, atol=1e-4, rtol=1e-4)


def test_a_network_can_be_made_again() -> None:
    again = DiffusionTransformer(**NETWORK.own_settings())
    again.load_state_dict(NETWORK.state_dict())
    latents, times = torch.ones(2, CHANNELS, SIDE, SIDE), torch.tensor([5.0, 800.0])
    ours, theirs = (one.velocity(latents, times, ASKED) for one in (NETWORK, again))
    assert torch.equal(ours, theirs)


def test_diffusion_has_the_parameters_of_var_within_three_percent() -> None:
    for size in RivalSettings(data="data", out="out").sizes:
        network = DiffusionTransformer(
            depth=size.depth, width=size.width, num_heads=size.num_heads, text_dim=8
        )
        found = count_outside_tables(network)
        assert abs(found / size.num_parameters - 1) < 0.03, size
    assert Size(4).num_parameters < Size(8).num_parameters
