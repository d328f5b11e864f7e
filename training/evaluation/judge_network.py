"""The judge: a pretrained net with a head that classifies pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.evaluation.features import EARLY_CHANNELS, INPUT_SIDE, NUM_FEATURES, FeatureNet
from training.evaluation.judge_file import read_judge, write_judge
from var_core.devices import pick_dtype
from var_core.images import uint8_to_tensor

COMMAND = "python -m training.evaluation.judge --data DATA --nets data/nets --out runs/judge"
GRID = 2  # the early maps are pooled to GRID x GRID, so the head knows roughly where things are
NUM_INPUTS = NUM_FEATURES + EARLY_CHANNELS * GRID * GRID


class Judge(nn.Module):
    """Pretrained net with a head for `num_classes` classes."""

    offset: Tensor
    scale: Tensor

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
        """Classify the result of `describe`: (B, 1728) -> logits (B, num_classes)."""
        return self.head((features - self.offset) * self.scale)

    def forward(self, images: Tensor) -> Tensor:
        """Classify pictures: (B, 3, H, W) in [-1, 1] -> logits (B, num_classes)."""
        return self.name(self.describe(self.net.early_maps(images)))


def fast_autocast() -> torch.autocast:
    """Autocast to bf16 where the processor multiplies it fast; elsewhere float32 is faster."""
    dtype = pick_dtype(torch.device("cpu"))
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


@torch.no_grad()
def classify(judge: Judge, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Classify pictures by the mean over each picture and its mirror image.

    Args:
        judge: trained judge.
        images: (N, H, W, 3) uint8.
        batch_size: pictures per batch.

    Returns:
        (N,) int64 labels.
    """
    judge.eval()
    names = []
    for start in range(0, len(images), batch_size):
        pictures = uint8_to_tensor(images[start : start + batch_size])
        with fast_autocast():
            chances = judge(pictures).float().softmax(1) + judge(pictures.flip(3)).float().softmax(
                1
            )
        names.append(chances.argmax(dim=1))
    return torch.cat(names).numpy() if names else np.zeros(0, dtype=np.int64)


def measure_accuracy(judge: Judge, images: np.ndarray, labels: np.ndarray) -> float:
    """Part of the pictures (N, H, W, 3) uint8 that the judge gives their labels (N,), 0 to 1."""
    return float((classify(judge, images) == labels).mean())


def save_judge(judge: Judge, path: Path | str) -> None:
    """Write a judge as one safetensors file, atomically."""
    hidden, num_classes = judge.head[1].out_features, judge.head[4].out_features
    settings = {"num_classes": num_classes, "hidden": hidden, "side": judge.net.side}
    write_judge(judge, settings, path)


def load_judge(path: Path | str) -> Judge:
    """Read what `save_judge` wrote; the result is frozen.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    return read_judge(path, lambda settings: Judge(**settings), COMMAND)
