"""Trains the judge of scenes on an endless stream of real ones.

The early blocks stay as they are; the late ones learn together with the heads. No scene is shown
twice, and none of them is one that a model is trained or measured on.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from training.data.augment import random_flip
from training.data.scenes import Scene, SceneRenderer, SpriteTable, make_scene
from training.evaluation.features import FeatureNet
from training.evaluation.judge_run import Group, JudgeRun
from training.evaluation.scenes.judge_network import SceneJudge, Scores
from training.evaluation.scenes.questions import (
    NO_ANSWER,
    QUESTIONS,
    Topics,
    right_answers,
    things_of,
)
from training.evaluation.scenes.worn_pictures import wear
from training.loop.command_line import Settings
from training.loop.picture_random import PictureRandom
from training.loop.precision import fast_autocast
from var_core.option_fields import option

SCENE_SEED = 2**30  # of the judge's own scenes
BLURRED, HALVED = 0.25, 0.25  # parts of the scenes with less sharpness
WHOLE_WEIGHT = 0.5  # of the questions about the whole picture, beside that about things


@dataclass(frozen=True, kw_only=True)
class SceneJudgeOptions(Settings):
    """How the judge is trained. The defaults take about 25 minutes on one free core."""

    steps: int = option(2000, "training steps", low=1)
    batch_size: int = option(32, "scenes per step", low=2)
    hidden: int = option(512, "width of the layer before the heads", low=1)
    dropout: float = option(0.1, "dropout before the heads", low=0, high=0.99)
    side: int = option(192, "side of the scenes in pixels", low=32)
    wear: float = option(
        0.0, "part of the scenes that are worn as by a coder: small, blurred, lossy", low=0, high=1
    )
    head_learning_rate: float = option(2e-3, "highest learning rate of the heads", low=0)
    late_learning_rate: float = option(4e-4, "highest learning rate of the late blocks", low=0)
    weight_decay: float = option(0.02, "weight decay", low=0)
    save_every: int = option(100, "steps between two checkpoints", low=1)


class JudgeTraining(JudgeRun[SceneJudge]):
    """A judge in training, which resumes from the newest checkpoint of its folder.

    Args:
        table: the sprites.
        topics: what the judge answers.
        net: pretrained net; it is copied.
        folder: place of the checkpoints.
        seed: seed of the first weights and of dropout.
        options: how to train.

    Raises:
        ValueError: if the checkpoint there was made with other settings.
    """

    def __init__(
        self,
        table: SpriteTable,
        topics: Topics,
        net: FeatureNet,
        folder: Path,
        seed: int,
        options: SceneJudgeOptions,
    ) -> None:
        self.table, self.seed, self.options = table, seed, options
        self.renderer = SceneRenderer(table)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # first weights have no generator argument
            judge = SceneJudge(topics, options.hidden, options.side, options.dropout)
        judge.net.load_state_dict(net.state_dict())
        new = [judge.thing_head, judge.trunk, judge.heads]
        heads = [parameter for part in new for parameter in part.parameters()]
        groups: list[Group] = [
            {"params": judge.net.tune_late_blocks(), "highest": options.late_learning_rate},
            {"params": heads, "highest": options.head_learning_rate},
        ]
        meta = {"seed": seed, "options": repr(options), "topics": topics.to_json()}
        rule = options.weight_decay, options.steps, options.save_every
        super().__init__(judge, groups, *rule, folder, meta)
        if not self.is_resumed:
            self._normalise()

    @torch.no_grad()
    def _normalise(self) -> None:
        """Let the features of the whole picture begin with mean 0 and deviation 1."""
        judge = self.judge.eval()
        images, _ = self.batch(0, max(self.options.batch_size, 32))
        early = judge.net.early_maps(images)
        features = judge.describe(early, judge.net.late_maps(early))
        judge.offset.copy_(features.mean(dim=0))
        judge.scale.copy_(1 / (features.std(dim=0) + 0.1))

    def batch(self, step: int, size: int) -> tuple[Tensor, list[Scene]]:
        """The scenes of a step, softened and worn at random, (B, 3, side, side) in [-1, 1]."""
        numbers = range(step * size, (step + 1) * size)
        scenes = [make_scene(self.table, SCENE_SEED, number) for number in numbers]
        images = self.renderer.render(scenes, self.options.side)
        random = PictureRandom(self.seed, step, range(len(images)))
        images = soften(images, random)
        return wear(images, random, self.options.wear) if self.options.wear else images, scenes

    def loss(self) -> Tensor:
        """As `JudgeRun.loss`."""
        images, scenes = self.batch(self.step, self.options.batch_size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + self.step)  # dropout has no generator argument
            with fast_autocast():
                with torch.no_grad():
                    early = self.judge.net.early_maps(images)
                scores = self.judge.score(early)
        return judge_loss(scores, scenes)


def judge_loss(scores: Scores, scenes: list[Scene]) -> Tensor:
    """Cross-entropy of all questions; things are judged one by one, and against each other.

    The second part makes those that are there the likeliest, which decisions go by. In a trial of
    70 steps it made 15 % of the scenes right, instead of 11 %.
    """
    present = torch.zeros_like(scores.things)
    for row, scene in zip(present, scenes, strict=True):
        row[list(things_of(scene))] = 1.0
    loss = F.binary_cross_entropy_with_logits(scores.things, present, reduction="none")
    shares = present / present.sum(dim=1, keepdim=True)
    total = loss.sum(dim=1).mean() + F.cross_entropy(scores.things, shares)
    answers = [right_answers(scene) for scene in scenes]
    for name in QUESTIONS:
        target = torch.tensor([right[name] for right in answers])
        asked = target != NO_ANSWER
        if asked.any():
            whole = F.cross_entropy(scores.answers[name][asked], target[asked])
            total = total + WHOLE_WEIGHT * whole
    return total


def soften(images: Tensor, random: PictureRandom) -> Tensor:
    """Mirror, recolour a little and sometimes blur pictures: what a tokenizer may change too."""
    images = random_flip(images, random)

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return random.uniform(channels, 1, 1, low=low, high=high)

    images = images * draw(0.94, 1.06) * draw(0.97, 1.03, channels=3) + draw(-0.04, 0.04)
    noise = random.normal(*images.shape[1:])
    images = images + noise * draw(0.0, 0.06)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    halved = F.interpolate(F.avg_pool2d(images, 2), size=images.shape[-2:], mode="bilinear")
    choice = draw(0.0, 1.0)
    images = torch.where(choice < BLURRED, blurred, images)
    return torch.where(choice > 1 - HALVED, halved, images).clamp(-1.0, 1.0)
