"""Learning rate and weight decay follow their schedules."""

import math

import pytest
import torch
from torch import nn

from training.loop.command_line import parse_settings
from training.loop.optim import (
    MasterWeights,
    learning_rate_at,
    step_if_finite,
    weight_decay_at,
)
from training.loop.run_settings import RunSettings
from training.tokenizer.settings import TokenizerSettings
from training.transformer.settings import TransformerSettings


def test_schedules_start_and_end_where_they_should() -> None:
    for schedule in ("cosine", "linear"):
        rates = [learning_rate_at(step, 100, 2.0, 10, 0.1, schedule) for step in range(101)]
        assert rates[0] == pytest.approx(0.2)
        assert max(rates) == rates[10] == pytest.approx(2.0)
        assert rates[-1] == pytest.approx(0.2)
        assert rates[10:] == sorted(rates[10:], reverse=True)
    straight = [learning_rate_at(step, 100, 1.0, 0, 0.0, "linear") for step in (40, 60, 80)]
    assert straight[0] - straight[1] == pytest.approx(straight[1] - straight[2])
    assert weight_decay_at(0, 100, 0.05, 0.08) == pytest.approx(0.05)
    assert weight_decay_at(100, 100, 0.05, 0.08) == pytest.approx(0.08)
    assert weight_decay_at(70, 100, 0.05, -1.0) == 0.05


@pytest.mark.parametrize("settings_type", [TokenizerSettings, TransformerSettings])
def test_the_learning_rate_grows_with_the_pictures_of_a_step(
    settings_type: type[RunSettings],
) -> None:
    words = ["--data", "d", "--out", "o"]
    words += ["--tokenizer", "t"] if settings_type is TransformerSettings else []
    published = parse_settings(settings_type, [*words, "--base-rate", "1e-4"], "")
    assert published.highest_rate(256) == 1e-4
    assert published.highest_rate(1024) == 4e-4
    fixed = parse_settings(settings_type, [*words, "--learning-rate", "3e-4"], "")
    assert fixed.highest_rate(32) == fixed.highest_rate(1024) == 3e-4
    usual = {TokenizerSettings: 6e-4, TransformerSettings: 8e-4}[settings_type]
    assert parse_settings(settings_type, words, "").highest_rate(32) == usual


def test_a_step_without_finite_gradient_changes_nothing() -> None:
    """Weights, moments and their count are as if there had been no such step."""
    found = []
    for gradients in ([1.0, 2.0], [1.0, float("nan"), 2.0]):
        weight = nn.Parameter(torch.ones(3))
        optimizer = torch.optim.AdamW([weight], fused=True)
        for value in gradients:
            weight.grad = torch.full((3,), value)
            is_finite = step_if_finite(optimizer, weight.grad.norm())
            assert bool(is_finite) == math.isfinite(value)
        found.append({"weight": weight.detach(), **optimizer.state[weight]})
    first, second = found
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_masters_take_all_gradients_as_one_by_one() -> None:
    """Also those of weights in float32, and none where there is none."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4)).to(torch.bfloat16)
    model[1].bias = nn.Parameter(torch.zeros(4))
    masters = MasterWeights(model)
    weights = list(model.parameters())
    given = [torch.randn_like(weight) for weight in weights[1:]]
    for weight, gradient in zip(weights[1:], given, strict=True):
        weight.grad = gradient
    masters.take_gradients()
    assert masters.masters[0].grad is None
    for master, gradient in zip(masters.masters[1:], given, strict=True):
        assert master.grad is not None and torch.equal(master.grad, gradient.float())
    assert all(weight.grad is None for weight in weights)


def test_gradients_of_many_parts_are_summed_in_float32() -> None:
    model = nn.Linear(4, 4, bias=False).to(torch.bfloat16)
    masters = MasterWeights(model)
    for value in [1.0] + [0.001] * 1000:  # in bf16, 1 + 0.001 is 1
        model.weight.grad = torch.full_like(model.weight, value)
        masters.take_gradients()
    (gradient,) = (master.grad for master in masters.masters)
    assert gradient.dtype == torch.float32
    assert gradient.tolist() == [[pytest.approx(2.0, rel=2e-3)] * 4] * 4  # 0.001 is 0.00100 in bf16
    assert model.weight.grad is None
