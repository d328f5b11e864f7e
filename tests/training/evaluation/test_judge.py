"""The judge learns, is reproducible, and comes back from its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.tiny import random_of
from training.evaluation.features import NUM_EARLY_BLOCKS, FeatureNet
from training.evaluation.judge_network import classify, load_judge, measure_accuracy, save_judge
from training.evaluation.judge_training import (
    JudgeOptions,
    change_at_random,
    check_training_set,
    rate_factor,
    train_judge,
)

QUICK = JudgeOptions(num_copies=1, hidden=16, head_epochs=8, tune_epochs=0, batch_size=4)


@pytest.fixture(scope="module")
def net() -> FeatureNet:
    torch.manual_seed(0)
    net = FeatureNet(side=32)
    for name, parameter in net.named_parameters():
        if name.endswith("weight"):  # keeps the signal alive through sixteen random blocks
            torch.nn.init.kaiming_normal_(parameter)
    return net.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Dark and light pictures: (12, 16, 16, 3) uint8 and their labels 0 and 1."""
    labels = np.arange(12) % 2
    noise = np.random.default_rng(0).integers(0, 60, size=(12, 16, 16, 3))
    return (noise + 180 * labels[:, None, None, None]).astype(np.uint8), labels.astype(np.int64)


def test_judge_learns_an_easy_task(
    net: FeatureNet, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    judge = train_judge(*pictures, num_classes=2, seed=0, net=net, options=QUICK)
    assert measure_accuracy(judge, *pictures) == 1.0
    names = classify(judge, pictures[0])
    assert names.shape == (12,)
    assert names.dtype == np.int64


def test_the_same_seed_gives_the_same_judge(
    net: FeatureNet, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    options = replace(QUICK, num_copies=2, head_epochs=1)
    first, second, other = (
        train_judge(*pictures, num_classes=2, seed=seed, net=net, options=options)
        for seed in (3, 3, 4)
    )
    assert torch.equal(first.head[1].weight, second.head[1].weight)
    assert not torch.equal(first.head[1].weight, other.head[1].weight)


def test_tuning_changes_late_blocks_only_and_never_the_given_net(
    net: FeatureNet, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    options = replace(QUICK, head_epochs=0, tune_epochs=2)
    judge = train_judge(*pictures, num_classes=2, seed=0, net=net, options=options)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])
    is_changed = {
        name: not torch.equal(tensor, before[name])
        for name, tensor in judge.net.state_dict().items()
    }
    assert is_changed["head.weight"]
    assert is_changed[f"blocks.{NUM_EARLY_BLOCKS}.project.weight"]
    assert not is_changed[f"blocks.{NUM_EARLY_BLOCKS}.depthwise.weight"]
    assert not any(is_changed[f"blocks.{i}.project.weight"] for i in range(NUM_EARLY_BLOCKS))
    assert not any(parameter.requires_grad for parameter in judge.parameters())


def test_training_leaves_the_global_random_state_alone(
    net: FeatureNet, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    state = torch.random.get_rng_state()
    options = replace(QUICK, head_epochs=0)
    train_judge(*pictures, num_classes=2, seed=0, net=net, options=options)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_saved_judge_comes_back(
    net: FeatureNet, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    options = replace(QUICK, head_epochs=1)
    judge = train_judge(*pictures, num_classes=3, seed=0, net=net, options=options)
    save_judge(judge, tmp_path / "folder" / "judge.safetensors")
    loaded = load_judge(tmp_path / "folder" / "judge.safetensors")
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    assert torch.equal(loaded(images), judge(images))
    assert loaded(images).shape == (2, 3)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["judge.safetensors"]


def test_missing_or_damaged_judge_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing; run: python -m training\.evaluation\.judge"):
        load_judge(tmp_path / "judge.safetensors")
    (tmp_path / "judge.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"damaged.*python -m training\.evaluation\.judge"):
        load_judge(tmp_path / "judge.safetensors")


def test_learning_rate_rises_then_falls_to_zero() -> None:
    factors = [rate_factor(step / 10) for step in range(1, 11)]
    assert factors[1] == 1.0
    assert factors[0] == 0.5
    assert factors[1:] == sorted(factors[1:], reverse=True)
    assert factors[-1] == pytest.approx(0.0)


def test_random_changes_keep_shape_range_and_input() -> None:
    images = torch.rand(5, 3, 16, 16) * 2 - 1
    before = images.clone()
    changed = change_at_random(images, random_of(len(images)))
    assert changed.shape == images.shape
    assert changed.min() >= -1.0 and changed.max() <= 1.0
    assert torch.equal(images, before)
    assert not torch.equal(changed, images)
    again = change_at_random(images, random_of(len(images)))
    assert torch.equal(changed, again)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 8, 8, 3)), np.zeros(2, dtype=np.int64), "uint8"),
        (np.zeros((2, 3, 8, 8), dtype=np.uint8), np.zeros(2, dtype=np.int64), r"\(N, H, W, 3\)"),
        (np.zeros((2, 8, 8, 3), dtype=np.uint8), np.zeros(3, dtype=np.int64), "as many labels"),
        (np.zeros((2, 8, 8, 3), dtype=np.uint8), np.array([0, 5]), r"0\.\.4, got 0\.\.5"),
        (np.zeros((1, 8, 8, 3), dtype=np.uint8), np.zeros(1, dtype=np.int64), "at least 2"),
    ],
)
def test_unfit_training_sets_are_refused(
    images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_training_set(images, labels, num_classes=5)


@pytest.mark.parametrize(
    "change", [{"num_copies": 0}, {"dropout": 1.0}, {"tune_epochs": -1}, {"batch_size": 0}]
)
def test_options_out_of_range_are_refused(change: dict) -> None:
    with pytest.raises(ValueError):
        JudgeOptions(**change)
