"""Trains the judge of scenes on an endless stream of real ones.

The early blocks stay as they are; the late ones learn together with the heads. No scene is shown
twice, and none of them is one that a model is trained or measured on.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.data.augment import random_flip
from training.data.scenes import Scene, SceneRenderer, SpriteTable, make_scene
from training.evaluation.features import NUM_EARLY_BLOCKS, FeatureNet
from training.evaluation.judge_network import fast_autocast
from training.evaluation.judge_training import BLURRED, HALVED, rate_factor
from training.evaluation.scenes.judge_network import SceneJudge, Scores
from training.evaluation.scenes.questions import (
    NO_ANSWER,
    QUESTIONS,
    Topics,
    right_answers,
    things_of,
)
from training.evaluation.scenes.worn_pictures import wear
from training.loop.checkpoint import check_parts, load_newest, save_run
from training.loop.command_line import Settings
from training.loop.optimizer_state import optimizer_tensors, restore_optimizer
from training.loop.picture_random import PictureRandom
from var_core.option_fields import option

logger = logging.getLogger(__name__)

SCENE_SEED = 2**30  # of the judge's own scenes
WHOLE_WEIGHT = 0.5  # of the questions about the whole picture, beside that about things
MAX_NORM = 5.0
JUDGE_PART, OPTIMIZER_PART = "judge", "optimizer"


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


class JudgeTraining:
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
        self.table, self.folder, self.seed, self.options = table, folder, seed, options
        self.renderer = SceneRenderer(table)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # first weights have no generator argument
            self.judge = SceneJudge(topics, options.hidden, options.side, options.dropout)
        self.judge.net.load_state_dict(net.state_dict())
        self.groups = _groups(self.judge, options)
        self.optimizer = torch.optim.AdamW(self.groups, weight_decay=options.weight_decay)
        self.step = 0
        self.meta = {"seed": seed, "options": repr(options), "topics": topics.to_json()}
        if not self._resume():
            self._normalise()

    def _resume(self) -> bool:
        found = load_newest(self.folder)
        if found is None:
            return False
        parts, meta = found
        for name, value in self.meta.items():
            if meta.get(name) != value:
                raise ValueError(
                    f"{self.folder} holds a judge that was trained with other settings ({name}); "
                    "delete it, or choose another folder"
                )
        expected = {JUDGE_PART: self.judge.state_dict(), OPTIMIZER_PART: {}}
        check_parts(expected, parts, f"{self.folder} holds another judge")
        self.judge.load_state_dict(parts[JUDGE_PART])
        restore_optimizer(self.optimizer, parts[OPTIMIZER_PART])
        self.step = int(meta["step"])
        logger.info("resuming from step %d", self.step)
        return True

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

    def run(self, stop_after: int | None = None) -> SceneJudge:
        """Train to the end, or to a step; returns the judge in eval mode."""
        last = min(self.options.steps, stop_after or self.options.steps)
        total = 0.0
        while self.step < last:
            total += self._train_step()
            if self.step % 20 == 0:
                logger.info("step %d of %d: loss %.3f", self.step, self.options.steps, total / 20)
                total = 0.0
            if self.step % self.options.save_every == 0 or self.step == last:
                self.save()
        return self.judge.eval()

    def _train_step(self) -> float:
        options, judge = self.options, self.judge.train()
        images, scenes = self.batch(self.step, options.batch_size)
        factor = rate_factor((self.step + 1) / options.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * group["highest"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + self.step)  # dropout has no generator argument
            with fast_autocast():
                with torch.no_grad():
                    early = judge.net.early_maps(images)
                scores = judge.score(early)
        loss = judge_loss(scores, scenes)
        self.optimizer.zero_grad()
        loss.backward()
        trained = [one for group in self.groups for one in cast(list[Tensor], group["params"])]
        nn.utils.clip_grad_norm_(trained, MAX_NORM)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def save(self) -> None:
        """Write a checkpoint."""
        parts = {
            JUDGE_PART: self.judge.state_dict(),
            OPTIMIZER_PART: optimizer_tensors(self.optimizer),
        }
        save_run(self.folder, self.step, parts, self.meta)


def _groups(judge: SceneJudge, options: SceneJudgeOptions) -> list[dict[str, object]]:
    """What is trained: heads and late blocks, but for depthwise kernels with slow gradients."""
    late = [*judge.net.blocks[NUM_EARLY_BLOCKS:], judge.net.head]
    tuned = [p for module in late for p in module.parameters() if p.ndim == 1 or p.shape[1] > 1]
    judge.net.requires_grad_(False)
    for parameter in tuned:
        parameter.requires_grad_(True)
    heads = [p for part in (judge.thing_head, judge.trunk, judge.heads) for p in part.parameters()]
    return [
        {"params": tuned, "highest": options.late_learning_rate},
        {"params": heads, "highest": options.head_learning_rate},
    ]


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
