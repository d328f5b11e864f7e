"""The judge of scenes: a pretrained net that names things, place, time, weather and style."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.evaluation.features import EARLY_CHANNELS, NUM_FEATURES, FeatureNet
from training.evaluation.judge_file import read_judge, write_judge
from training.evaluation.scenes.questions import QUESTIONS, Topics
from training.loop.precision import fast_autocast

COMMAND = "python -m training.evaluation.scenes.judge --data DATA --nets data/nets --out runs/judge"
SIDE = 192  # pixels: 6 x 6 late maps, so that small things have positions of their own
GRID = 3  # the early maps are pooled to GRID x GRID: sky, horizon and ground
NUM_INPUTS = NUM_FEATURES + EARLY_CHANNELS * GRID * GRID
RARE = -4.0  # first logit of every thing: few of them are in a picture


@dataclass(frozen=True, eq=False)
class Scores:
    """What a judge thinks of B pictures.

    Attributes:
        things: (B, T) logits, one for each thing on its own.
        answers: question -> (B, n) logits of its answers.
    """

    things: Tensor
    answers: dict[str, Tensor]

    def cpu(self) -> "Scores":
        """The same scores on the CPU."""
        return Scores(self.things.cpu(), {name: one.cpu() for name, one in self.answers.items()})


class SceneJudge(nn.Module):
    """Pretrained net with a head for things at positions and heads for the whole picture.

    Args:
        topics: what it can answer.
        hidden: width of the layer before the heads for the whole picture.
        side: side in pixels that pictures are resized to.
        dropout: dropout before these heads.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self, topics: Topics, hidden: int = 512, side: int = SIDE, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.topics = topics
        self.hidden = hidden
        self.net = FeatureNet(side)
        self.thing_head = nn.Conv2d(NUM_FEATURES, len(topics.things), 1)
        nn.init.normal_(self.thing_head.weight, std=0.01)
        nn.init.constant_(_bias(self.thing_head), RARE)
        self.register_buffer("offset", torch.zeros(NUM_INPUTS))
        self.register_buffer("scale", torch.ones(NUM_INPUTS))
        self.trunk = nn.Sequential(
            nn.Linear(NUM_INPUTS, hidden), nn.GELU(approximate="tanh"), nn.Dropout(dropout)
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(hidden, len(topics.answers[name])) for name in QUESTIONS}
        )

    def describe(self, early_maps: Tensor, late_maps: Tensor) -> Tensor:
        """Features of the whole picture: (B, 2288), float32, not yet normalised."""
        early = F.adaptive_avg_pool2d(early_maps.float(), GRID).flatten(1)
        return torch.cat([early, late_maps.float().mean(dim=(2, 3))], dim=1)

    def score(self, early_maps: Tensor) -> Scores:
        """Judge what `net.early_maps` returned."""
        late = self.net.late_maps(early_maps)
        places = self.thing_head(late).float().flatten(2)  # (B, T, h * w)
        things = places.logsumexp(dim=2) - math.log(places.shape[2])
        features = (self.describe(early_maps, late) - self.offset) * self.scale
        whole = self.trunk(features)
        return Scores(things, {name: self.heads[name](whole).float() for name in QUESTIONS})

    def forward(self, images: Tensor) -> Scores:
        """Judge pictures (B, 3, H, W) in [-1, 1] of any size."""
        return self.score(self.net.early_maps(images))


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # as it was made with one
    return layer.bias


@torch.no_grad()
def judge_images(judge: SceneJudge, images: Tensor, batch_size: int = 32) -> Scores:
    """Judge pictures (N, 3, H, W) in [-1, 1]; the scores are on the CPU."""
    device = judge.offset.device
    parts: list[Scores] = []
    for batch in images.split(batch_size):
        with fast_autocast():
            parts.append(judge(batch.to(device)).cpu())
    return Scores(
        torch.cat([part.things for part in parts]),
        {name: torch.cat([part.answers[name] for part in parts]) for name in QUESTIONS},
    )


def save_scene_judge(judge: SceneJudge, path: Path) -> None:
    """Write a judge as one safetensors file, atomically."""
    settings = {"hidden": judge.hidden, "side": judge.net.side, "topics": judge.topics.to_json()}
    write_judge(judge, settings, path)


def load_scene_judge(path: str | Path) -> SceneJudge:
    """Read what `save_scene_judge` wrote; the result is frozen.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    return read_judge(path, _build, COMMAND)


def _build(settings: dict[str, Any]) -> SceneJudge:
    topics = Topics.from_json(settings["topics"])
    return SceneJudge(topics, settings["hidden"], settings["side"])
