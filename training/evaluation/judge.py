"""A judge that names the category of a 64-px drawing, to tell whether a generated one is right.

Run: python -m training.evaluation.judge --data data/emoji64 --nets data/nets --out runs/judge

The early blocks of a pretrained net stay as they are, so their maps of a few randomly changed
copies of every picture are computed once. On them a small head is trained, then the head together
with the late blocks.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from training.data.augment import random_flip, random_zoom_shift
from training.data.picture_data import load_picture_data
from training.evaluation.features import (
    EARLY_CHANNELS,
    INPUT_SIDE,
    NUM_EARLY_BLOCKS,
    NUM_FEATURES,
    FeatureNet,
    load_features,
)
from var_core.devices import pick_dtype

logger = logging.getLogger(__name__)

JUDGE_FILE = "judge.safetensors"
REPORT_FILE = "judge.json"
COMMAND = (
    "python -m training.evaluation.judge --data data/emoji64 --nets data/nets --out runs/judge"
)
BLURRED, HALVED = 0.25, 0.25  # parts of the changed copies with less sharpness
GRID = 2  # the early maps are pooled to GRID x GRID, so the head knows roughly where things are
NUM_INPUTS = NUM_FEATURES + EARLY_CHANNELS * GRID * GRID


@dataclass(frozen=True)
class JudgeOptions:
    """How the judge is trained. The defaults take about four minutes on two cores."""

    num_copies: int = 4  # of every picture: one as it is, the others changed at random
    hidden: int = 512  # width of the head
    dropout: float = 0.4
    head_epochs: int = 12
    head_learning_rate: float = 2e-3
    tune_epochs: int = 3
    tune_learning_rate: float = 3e-4
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    batch_size: int = 128

    def __post_init__(self) -> None:
        if self.num_copies < 1 or self.batch_size < 1 or self.hidden < 1:
            raise ValueError("num_copies, batch_size and hidden must be at least 1")
        if self.head_epochs < 0 or self.tune_epochs < 0:
            raise ValueError("head_epochs and tune_epochs must not be negative")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}")


class Judge(nn.Module):
    """Pretrained net with a head that names one of `num_classes` categories."""

    def __init__(
        self, num_classes: int, hidden: int = 512, side: int = INPUT_SIDE, dropout: float = 0.0
    ) -> None:
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        super().__init__()
        self.net = FeatureNet(side)
        self.register_buffer("offset", torch.zeros(NUM_INPUTS))
        self.register_buffer("scale", torch.ones(NUM_INPUTS))
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(NUM_INPUTS, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def describe(self, early_maps: Tensor) -> Tensor:
        """Pool the maps of the early blocks, and those of the late ones: -> (B, 1728), float32."""
        late = self.net.late_maps(early_maps).float().mean(dim=(2, 3))
        early = F.adaptive_avg_pool2d(early_maps.float(), GRID).flatten(1)
        return torch.cat([early, late], dim=1)

    def name(self, features: Tensor) -> Tensor:
        """Name what `describe` saw: (B, 1728) -> logits (B, num_classes)."""
        return self.head((features - self.offset) * self.scale)

    def forward(self, images: Tensor) -> Tensor:
        """Name pictures: (B, 3, H, W) in [-1, 1] -> logits (B, num_classes)."""
        return self.name(self.describe(self.net.early_maps(images)))


def train_classifier(
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
        num_classes: number of categories.
        seed: of the random changes, the order and the head's first weights.
        net: pretrained; copied, never changed.
        options: how to train; the defaults if None.

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
        maps, features = describe_copies(judge, images, options.num_copies, generator)
        judge.offset.copy_(features[0].mean(dim=0))
        judge.scale.copy_(1.0 / (features[0].std(dim=0) + 1e-3))
        train_head(judge, features, targets, options, generator)
        tune_late_blocks(judge, maps, targets, options, generator)
    return judge.requires_grad_(False).eval()


def check_training_set(images: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
    """Raise ValueError unless there is one valid label for every picture."""
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


def to_pictures(pixels: np.ndarray) -> Tensor:
    """Convert (B, H, W, 3) uint8 to (B, 3, H, W) in [-1, 1]."""
    return torch.as_tensor(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def change_at_random(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move, recolour and sometimes blur pictures: (B, 3, H, W) in [-1, 1] -> the same."""
    images = random_flip(images, generator)
    images = random_zoom_shift(images, generator, zoom=(0.85, 1.15), shift=0.06)

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        size = (len(images), channels, 1, 1)
        return torch.empty(size).uniform_(low, high, generator=generator)

    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * draw(0.5, 1.4)  # saturation
    images = images * draw(0.75, 1.25) * draw(0.9, 1.1, channels=3) + draw(-0.15, 0.15)
    # what a picture shows does not depend on its finest texture, which a tokenizer changes
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    halved = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    choice = draw(0.0, 1.0)
    images = torch.where(choice < BLURRED, blurred, images)
    return torch.where(choice > 1 - HALVED, halved, images).clamp(-1.0, 1.0)


def fast_autocast() -> torch.autocast:
    """bf16 where the processor multiplies it fast; elsewhere it would be far slower than fp32."""
    dtype = pick_dtype(torch.device("cpu"))
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


@torch.no_grad()
def describe_copies(
    judge: Judge, images: np.ndarray, num_copies: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Run the frozen part over copies of the pictures, the first of which is unchanged.

    Returns:
        Early maps (copies, N, 112, h, w) in bfloat16 and features (copies, N, 1728) in float32.
    """
    all_maps, all_features = [], []
    for copy in range(num_copies):
        maps, features = [], []
        for start in range(0, len(images), 64):
            pictures = to_pictures(images[start : start + 64])
            if copy > 0:
                pictures = change_at_random(pictures, generator)
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
    """Train late blocks and head together, except depthwise kernels, whose gradients are slow."""
    late = [*judge.net.blocks[NUM_EARLY_BLOCKS:], judge.net.head]
    tuned = [p for module in late for p in module.parameters() if p.ndim == 1 or p.shape[1] > 1]
    judge.net.requires_grad_(False)
    for parameter in tuned:
        parameter.requires_grad_(True)
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
    """Minimise the cross-entropy; every epoch meets each picture once, in any of its copies."""
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
    """Return the part of the learning rate in use: up to 1 in a fifth of the way, then to 0."""
    if progress < 0.2:
        return progress / 0.2
    return 0.5 + 0.5 * math.cos(math.pi * (progress - 0.2) / 0.8)


@torch.no_grad()
def classify(judge: Judge, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Name pictures, looking at each and at its mirror image.

    Args:
        judge: a trained judge.
        images: (N, H, W, 3) uint8.
        batch_size: pictures looked at together.

    Returns:
        (N,) int64 labels.
    """
    judge.eval()
    names = []
    for start in range(0, len(images), batch_size):
        pictures = to_pictures(images[start : start + batch_size])
        with fast_autocast():
            chances = judge(pictures).float().softmax(1) + judge(pictures.flip(3)).float().softmax(
                1
            )
        names.append(chances.argmax(dim=1))
    return torch.cat(names).numpy() if names else np.zeros(0, dtype=np.int64)


def measure_accuracy(judge: Judge, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the part of (N, H, W, 3) uint8 pictures whose (N,) labels the judge finds, 0..1."""
    return float((classify(judge, images) == labels).mean())


def save_classifier(judge: Judge, path: Path | str) -> None:
    """Write a judge as one safetensors file, complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in judge.state_dict().items()}
    hidden, num_classes = judge.head[1].out_features, judge.head[4].out_features
    settings = {"num_classes": num_classes, "hidden": hidden, "side": judge.net.side}
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={"settings": json.dumps(settings)})
    os.replace(partial, path)


def load_classifier(path: Path | str) -> Judge:
    """Read what `save_classifier` wrote; the result is frozen.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"the judge {path} is missing; run: {COMMAND}")
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads(file.metadata()["settings"])
        judge = Judge(**settings)
        judge.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the judge {path} is damaged; delete it and run: {COMMAND}") from error
    return judge.requires_grad_(False).eval()


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Train the judge that names categories.")
    parser.add_argument("--data", type=Path, default=Path("data/emoji64"), help="the pictures")
    parser.add_argument("--nets", type=Path, default=Path("data/nets"), help="pretrained nets")
    parser.add_argument("--out", type=Path, default=Path("runs/judge"), help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copies", type=int, default=JudgeOptions.num_copies, help="a picture")
    parser.add_argument(
        "--tune-epochs", type=int, default=JudgeOptions.tune_epochs, help="0 trains the head only"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options = JudgeOptions(num_copies=arguments.copies, tune_epochs=arguments.tune_epochs)
        report = train_and_report(
            arguments.data, arguments.nets, arguments.out, arguments.seed, options
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for split in ("validation", "held_out"):
        print(f"{split}: {report[split]['accuracy']:.1%} of {report[split]['n']} pictures")
    return 0


def train_and_report(
    data_folder: Path, nets: Path, out: Path, seed: int, options: JudgeOptions
) -> dict:
    """Train on the train split, measure on the others, write judge and report into `out`."""
    data = load_picture_data(data_folder)
    categories = data.labels[:, 0]
    num_classes = len(data.label_names["attributes"][0]["values"])
    rows = data.splits["train"]
    judge = train_classifier(
        data.images[rows], categories[rows], num_classes, seed, load_features(nets), options
    )
    report: dict = {"seed": seed, "num_classes": num_classes, "num_train": len(rows)}
    report["options"] = asdict(options)
    for split in ("validation", "held_out"):
        rows = data.splits[split]
        accuracy = measure_accuracy(judge, data.images[rows], categories[rows])
        report[split] = {"accuracy": accuracy, "n": len(rows)}
    save_classifier(judge, out / JUDGE_FILE)
    (out / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n")
    return report


if __name__ == "__main__":
    sys.exit(main())
