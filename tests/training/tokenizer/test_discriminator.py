"""The adversary learns, and its losses are what they claim to be."""

import pytest
import torch
import torch.nn.functional as F

from tests.training.tiny import random_of
from training.loop.checkpoint import step_generator
from training.tokenizer.discriminator import (
    PatchDiscriminator,
    adaptive_weight,
    augment_alike,
    hinge_loss,
    init_discriminator,
)

SIDE = 16


def pictures(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=step_generator(0, 0)) * 2 - 1


def test_the_adversary_tells_blurred_pictures_after_some_steps() -> None:
    adversary = PatchDiscriminator(16)
    init_discriminator(adversary, step_generator(0, 1))
    optimizer = torch.optim.AdamW(adversary.parameters(), 2e-3)
    generator = step_generator(0, 2)
    losses = []
    for step in range(60):
        real = torch.rand(16, 3, SIDE, SIDE, generator=generator) * 2 - 1
        random = random_of(16, step)
        rebuilt = F.avg_pool2d(real, 3, 1, 1)
        both = torch.cat((augment_alike(real, random), augment_alike(rebuilt, random)))
        loss = hinge_loss(*adversary(both).chunk(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1.0, abs=0.1)
    assert sum(losses[-10:]) / 10 < 0.7


def test_the_hinge_is_zero_where_the_adversary_is_sure_and_right() -> None:
    assert hinge_loss(torch.full((3,), 2.0), torch.full((3,), -1.5)) == 0
    assert hinge_loss(torch.zeros(3), torch.zeros(3)) == 1


def test_the_adaptive_weight_makes_both_gradients_as_long() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    ours, theirs = (weight * torch.tensor([3.0, 4.0])).sum(), 0.01 * weight.sum()
    factor = adaptive_weight(ours, theirs, weight)
    gradient = torch.autograd.grad(factor * theirs, weight)[0]
    assert gradient.norm().item() == pytest.approx(5.0, rel=0.01)
    nothing = adaptive_weight(ours, 0 * weight.sum(), weight)
    assert nothing <= 1e4 * 5.01


def test_changes_of_pictures_are_seeded_and_keep_gradients() -> None:
    images = pictures().requires_grad_()
    first, second, other = (augment_alike(images, random_of(4, step)) for step in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    first.sum().backward()
    assert images.grad.abs().sum() > 0
    assert (first == 0).any(dim=1).float().mean() > 0.1  # cut out
