"""The judge of clips: names the one thing that a clip shows, and what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.data.motion.making import MovingScene
from training.data.motion.moves import PLAY
from training.data.motion.phrases import motion_words, way_of
from training.data.scenes import SpriteTable
from training.evaluation.features import NUM_FEATURES, FeatureNet
from training.evaluation.judge_file import read_judge, write_judge
from training.loop.precision import fast_autocast

COMMAND = "python -m training.evaluation.clips.judge --data DATA --nets NETS --out runs/clip_judge"
SIDE = 128  # pixels of the frames in which the thing is sought
MOTION_SIDE = 64  # pixels of the frames whose changes are looked at
WIDTH = 16
NUM_SEEN = 11  # channels: colours, their changes since the first and the last frame, two places
AT_ONCE = 8  # clips


@dataclass(frozen=True)
class ClipTopics:
    """All answers that a judge can give.

    Attributes:
        things: names of the things.
        ways: what a thing can do, to which side included.
    """

    things: tuple[str, ...]
    ways: tuple[str, ...]


def topics_of(table: SpriteTable) -> ClipTopics:
    """The topics of moving scenes that are composed from a sprite table."""
    return ClipTopics(table.names, tuple(way for way in motion_words()["things"] if way != PLAY))


def answers_of(clip: MovingScene, topics: ClipTopics) -> tuple[int, int]:
    """What a clip of a single thing shows: the index of the thing, and of what it does."""
    (placement,), (move,) = clip.scene.placements, clip.moves
    return placement.thing, topics.ways.index(way_of(move))


@dataclass(frozen=True, eq=False)
class ClipScores:
    """What a judge thinks of B clips.

    Attributes:
        things: (B, T) logits.
        ways: (B, M) logits.
    """

    things: Tensor
    ways: Tensor

    def picked(self) -> list[tuple[int, int]]:
        """The likeliest thing of each clip, and the likeliest that it does."""
        rows = torch.stack((self.things.argmax(dim=1), self.ways.argmax(dim=1)), dim=1)
        return [(int(thing), int(way)) for thing, way in rows]


class MotionNet(nn.Module):
    """Names a motion by how frames change, in space and time together.

    Args:
        num_ways: answers.
        width: channels of the first layer.
    """

    def __init__(self, num_ways: int, width: int = WIDTH) -> None:
        super().__init__()
        channels = (NUM_SEEN, width, 2 * width, 3 * width, 4 * width)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(before, after, 3, stride=(1, 2, 2), padding=1),
                nn.GroupNorm(8, after),
                nn.GELU(),
            )
            for before, after in pairwise(channels)
        )
        self.over_time = nn.Conv1d(channels[-1], channels[-1], 5, padding=2)
        self.head = nn.Linear(2 * channels[-1], num_ways)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, F, H, W) in [-1, 1] -> (B, M)."""
        batch, _, frames, height, width = clips.shape
        if (height, width) != (MOTION_SIDE, MOTION_SIDE):
            size = frames, MOTION_SIDE, MOTION_SIDE
            clips = F.interpolate(clips, size=size, mode="trilinear")
        rows = torch.linspace(-1, 1, MOTION_SIDE, device=clips.device)
        places = torch.stack(torch.meshgrid(rows, rows, indexing="ij"))  # (2, H, W)
        places = places[None, :, None].expand(batch, -1, frames, -1, -1)
        since_first = clips - clips[:, :, :1]
        since_last = F.pad(clips.diff(dim=2), (0, 0, 0, 0, 1, 0))
        maps = torch.cat((clips, since_first, since_last, places), dim=1)  # (B, 11, F, H, W)
        for layer in self.layers:
            maps = layer(maps)
        moments = F.gelu(self.over_time(maps.mean(dim=(3, 4))))  # (B, C, F)
        return self.head(torch.cat((moments.mean(dim=2), moments.amax(dim=2)), dim=1))


class ClipJudge(nn.Module):
    """Pretrained net that seeks the thing in three frames, and a small one for its motion.

    Args:
        topics: what it can answer.
        side: side in pixels that these frames are resized to.
    """

    def __init__(self, topics: ClipTopics, side: int = SIDE) -> None:
        super().__init__()
        self.topics = topics
        self.net = FeatureNet(side)
        self.thing_head = nn.Conv2d(NUM_FEATURES, len(topics.things), 1)
        nn.init.normal_(self.thing_head.weight, std=0.01)
        self.motion_net = MotionNet(len(topics.ways))

    def early_maps(self, clips: Tensor) -> Tensor:
        """The general part, for first, middle and last frames: (B, 3, F, H, W) -> (3B, C, h, w)."""
        frames = clips.shape[2]
        seen = clips[:, :, [0, frames // 2, frames - 1]].transpose(1, 2)  # (B, 3, 3, H, W)
        return self.net.early_maps(seen.flatten(0, 1))

    def score(self, clips: Tensor, early: Tensor) -> ClipScores:
        """Judge clips by what `early_maps` returned of them."""
        places = self.thing_head(self.net.late_maps(early)).float()
        things = places.unflatten(0, (len(clips), -1)).transpose(1, 2).flatten(2).logsumexp(dim=2)
        return ClipScores(things, self.motion_net(clips).float())

    def forward(self, clips: Tensor) -> ClipScores:
        """Judge clips (B, 3, F, H, W) in [-1, 1] of any size and length."""
        return self.score(clips, self.early_maps(clips))


@torch.no_grad()
def judge_clips(judge: ClipJudge, clips: Tensor) -> list[tuple[int, int]]:
    """Thing and way of each clip (N, 3, F, H, W) in [-1, 1], as indices of the topics."""
    device = judge.thing_head.weight.device
    found: list[tuple[int, int]] = []
    for batch in clips.split(AT_ONCE):
        with fast_autocast():
            found += judge(batch.to(device)).picked()
    return found


def shares_right(
    found: Sequence[tuple[int, int]], asked: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Shares of clips whose thing, whose motion and whose both are right."""
    pairs = list(zip(found, asked, strict=True))
    counts = {
        "thing": sum(one[0] == other[0] for one, other in pairs),
        "motion": sum(one[1] == other[1] for one, other in pairs),
        "both": sum(one == other for one, other in pairs),
    }
    return {name: count / len(pairs) for name, count in counts.items()}


def save_clip_judge(judge: ClipJudge, path: Path) -> None:
    """Write a judge as one safetensors file, atomically."""
    topics = {"things": list(judge.topics.things), "ways": list(judge.topics.ways)}
    write_judge(judge, {"side": judge.net.side, "topics": topics}, path)


def load_clip_judge(path: str | Path) -> ClipJudge:
    """Read what `save_clip_judge` wrote; the result is frozen.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    return read_judge(path, _build, COMMAND)


def _build(settings: dict[str, Any]) -> ClipJudge:
    topics = ClipTopics(*(tuple(settings["topics"][name]) for name in ("things", "ways")))
    return ClipJudge(topics, settings["side"])
