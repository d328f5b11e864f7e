"""Trains the judge: a head on a frozen net, then the head together with the late blocks.

The early blocks stay as they are, so their maps of a few randomly changed copies of every picture
are computed once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data.augment import random_flip, random_zoom_shift
from training.evaluation.features import FeatureNet
from training.evaluation.judge_network import Judge, fast_autocast
from training.loop.command_line import Settings
from training.loop.picture_random import PictureRandom
from var_core.images import uint8_to_tensor
from var_core.option_fields import option

logger = logging.getLogger(__name__)

BLURRED, HALVED = 0.25, 0.25  # parts of the changed copies with less sharpness


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(Settings):
    """How the judge is trained. The defaults take about four minutes on two cores."""

    num_copies: int = option(4, "copies of every picture: itself and changed ones", low=1)
    hidden: int = option(512, "width of the head", low=1)
    dropout: float = option(0.4, "dropout in the head", low=0, high=0.99)
    head_epochs: int = option(12, "epochs of the head alone", low=0)
    head_learning_rate: float = option(2e-3, "its highest learning rate", low=0)
    tune_epochs: int = option(3, "epochs of head and late blocks together", low=0)
    tune_learning_rate: float = option(3e-4, "their highest learning rate", low=0)
    weight_decay: float = option(0.05, "weight decay", low=0)
    label_smoothing: float = option(0.1, "label smoothing", low=0, high=1)
    batch_size: int = option(128, "pictures per step", low=1)


def train_judge(
    images: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    seed: int,
    net: FeatureNet,
    options: JudgeOptions | None = None,
) -> Judge:
    """Train a judge.

    Args:
        images: (N, H, W, 3) uint8.
        labels: (N,) int64, below `num_classes`.
        num_classes: number of classes.
        seed: seed of the random changes, the order and the head's first weights.
        net: pretrained net, which is copied and not changed.
        options: settings; None takes the defaults.

    Raises:
        ValueError: if pictures and labels do not fit together.
    """
    options = options or JudgeOptions()
    check_training_set(images, labels, num_classes)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout and first weights have no generator argument
        judge = Judge(num_classes, options.hidden, net.side, options.dropout)
        judge.net.load_state_dict(net.state_dict())
        targets = torch.as_tensor(labels)
        maps, features = describe_copies(judge, images, options.num_copies, seed)
        judge.offset.copy_(features[0].mean(dim=0))
        judge.scale.copy_(1.0 / (features[0].std(dim=0) + 1e-3))
        train_head(judge, features, targets, options, generator)
        tune_late_blocks(judge, maps, targets, options, generator)
    return judge.requires_grad_(False).eval()


def check_training_set(images: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
    """Check that there is one valid label for each picture.

    Raises:
        ValueError: if there is not.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"pictures must be (N, H, W, 3) uint8, got {images.shape} {images.dtype}")
    if labels.shape != (len(images),):
        raise ValueError(f"{len(images)} pictures need as many labels, got {labels.shape}")
    if len(images) < 2:
        raise ValueError(f"at least 2 pictures are needed, got {len(images)}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"labels must lie in 0..{num_classes - 1}, got {labels.min()}..{labels.max()}"
        )


def change_at_random(images: Tensor, random: PictureRandom) -> Tensor:
    """Move, recolour and sometimes blur pictures: (B, 3, H, W) in [-1, 1] -> the same."""
    images = random_flip(images, random)
    images = random_zoom_shift(images, random, zoom=(0.85, 1.15), shift=0.06)

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return random.uniform(channels, 1, 1, low=low, high=high)

    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * draw(0.5, 1.4)  # saturation
    images = images * draw(0.75, 1.25) * draw(0.9, 1.1, channels=3) + draw(-0.15, 0.15)
    # the label does not depend on the finest texture, which a tokenizer changes
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    halved = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    choice = draw(0.0, 1.0)
    images = torch.where(choice < BLURRED, blurred, images)
    return torch.where(choice > 1 - HALVED, halved, images).clamp(-1.0, 1.0)


@torch.no_grad()
def describe_copies(
    judge: Judge, images: np.ndarray, num_copies: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Run the frozen part over copies of the pictures, the first of which is unchanged.

    Returns:
        Early maps (copies, N, 112, h, w) in bfloat16 and features (copies, N, 1728) in float32.
    """
    all_maps, all_features = [], []
    for copy in range(num_copies):
        maps, features = [], []
        for start in range(0, len(images), 64):
            pictures = uint8_to_tensor(images[start : start + 64])
            if copy > 0:
                numbers = range(start, start + len(pictures))
                pictures = change_at_random(pictures, PictureRandom(seed, copy, numbers))
            with fast_autocast():
                early = judge.net.early_maps(pictures)
                features.append(judge.describe(early))
            maps.append(early.bfloat16().contiguous())
        all_maps.append(torch.cat(maps))
        all_features.append(torch.cat(features))
        logger.info("copy %d of %d described", copy + 1, num_copies)
    return torch.stack(all_maps), torch.stack(all_features)


def train_head(
    judge: Judge,
    features: Tensor,  # (copies, N, 1728)
    targets: Tensor,  # (N,)
    options: JudgeOptions,
    generator: torch.Generator,
) -> None:
    """Train the head alone."""
    groups = [{"params": list(judge.head.parameters()), "lr": options.head_learning_rate}]
    judge.head.train()
    fit(judge.name, features, targets, groups, options.head_epochs, options, generator)


def tune_late_blocks(
    judge: Judge,
    maps: Tensor,  # (copies, N, 112, h, w)
    targets: Tensor,  # (N,)
    options: JudgeOptions,
    generator: torch.Generator,
) -> None:
    """Train late blocks and head together."""
    tuned = judge.net.tune_late_blocks()
    groups = [
        {"params": tuned, "lr": options.tune_learning_rate},
        {"params": list(judge.head.parameters()), "lr": options.tune_learning_rate},
    ]

    def predict(batch: Tensor) -> Tensor:
        batch = batch.float().contiguous(memory_format=torch.channels_last)
        return judge.name(judge.describe(batch))

    judge.head.train()
    fit(predict, maps, targets, groups, options.tune_epochs, options, generator)


def fit(
    predict: Callable[[Tensor], Tensor],
    inputs: Tensor,  # (copies, N, ...)
    targets: Tensor,  # (N,)
    groups: list[dict],
    num_epochs: int,
    options: JudgeOptions,
    generator: torch.Generator,
) -> None:
    """Minimise the cross-entropy; an epoch has each picture once, in a random copy."""
    num_copies, num_rows = inputs.shape[:2]
    num_steps = num_epochs * -(-num_rows // options.batch_size)
    if num_steps == 0:
        return
    optimizer = torch.optim.AdamW(groups, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_factor(min((step + 1) / num_steps, 1.0))
    )
    parameters = [parameter for group in groups for parameter in group["params"]]
    for epoch in range(num_epochs):
        total = 0.0
        for rows in torch.randperm(num_rows, generator=generator).split(options.batch_size):
            copies = torch.randint(num_copies, (len(rows),), generator=generator)
            with fast_autocast():
                logits = predict(inputs[copies, rows])
            loss = F.cross_entropy(
                logits.float(), targets[rows], label_smoothing=options.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        logger.info("epoch %d of %d: loss %.3f", epoch + 1, num_epochs, total / num_rows)


def rate_factor(progress: float) -> float:
    """Learning rate over the highest: up to 1 in a fifth of the run, then down to 0."""
    if progress < 0.2:
        return progress / 0.2
    return 0.5 + 0.5 * math.cos(math.pi * (progress - 0.2) / 0.8)
