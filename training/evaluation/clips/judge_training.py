"""Trains the judge of clips on an endless stream of real ones.

No clip is shown twice, and none of them is one that a model is trained or measured on. The judge
sees the motions too that models never see, so that it knows all of them equally well.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.scenes import SceneRenderer, SpriteTable
from training.evaluation.clips.cases import one_thing_clip, paint
from training.evaluation.clips.judge_network import ClipJudge, ClipScores, answers_of, topics_of
from training.evaluation.features import FeatureNet
from training.evaluation.judge_run import Group, JudgeRun
from training.loop.command_line import Settings
from training.loop.picture_random import PictureRandom
from training.loop.precision import fast_autocast
from var_core.option_fields import option

CLIP_SEED = 2**30 + 1  # of the judge's own clips
HALVED = 0.4  # part of the clips with half the sharpness, as a tokenizer may leave it


@dataclass(frozen=True, kw_only=True)
class ClipJudgeOptions(Settings):
    """How the judge is trained."""

    steps: int = option(2000, "training steps", low=1)
    batch_size: int = option(16, "clips per step", low=2)
    clip_side: int = option(64, "side of the clips in pixels", low=16)
    side: int = option(128, "side of the frames in which the thing is sought", low=32)
    learning_rate: float = option(2e-3, "highest learning rate of what is new", low=0)
    late_learning_rate: float = option(4e-4, "highest learning rate of the late blocks", low=0)
    weight_decay: float = option(0.02, "weight decay", low=0)
    save_every: int = option(100, "steps between two checkpoints", low=1)


class ClipJudgeTraining(JudgeRun[ClipJudge]):
    """A judge in training, which resumes from the newest checkpoint of its folder.

    Args:
        table: the sprites.
        net: pretrained net; it is copied.
        folder: place of the checkpoints.
        seed: seed of the first weights and of the changes of clips.
        options: how to train.

    Raises:
        ValueError: if the checkpoint there was made with other settings.
    """

    def __init__(
        self,
        table: SpriteTable,
        net: FeatureNet,
        folder: Path,
        seed: int,
        options: ClipJudgeOptions,
    ) -> None:
        self.table, self.seed, self.options = table, seed, options
        self.renderer = SceneRenderer(table)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # first weights have no generator argument
            judge = ClipJudge(topics_of(table), options.side)
        judge.net.load_state_dict(net.state_dict())
        new = [*judge.thing_head.parameters(), *judge.motion_net.parameters()]
        groups: list[Group] = [
            {"params": judge.net.tune_late_blocks(), "highest": options.late_learning_rate},
            {"params": new, "highest": options.learning_rate},
        ]
        meta = {"seed": seed, "options": repr(options), "things": list(table.names)}
        rule = options.weight_decay, options.steps, options.save_every
        super().__init__(judge, groups, *rule, folder, meta)

    def batch(self, step: int) -> tuple[Tensor, list[tuple[int, int]]]:
        """The clips of a step, softened at random, and their answers."""
        size = self.options.batch_size
        numbers = range(step * size, (step + 1) * size)
        clips = [one_thing_clip(self.table, CLIP_SEED, number, False) for number in numbers]
        painted = paint(self.renderer, clips, self.options.clip_side)
        random = PictureRandom(self.seed, step, range(size))
        return soften_clips(painted, random), [answers_of(one, self.judge.topics) for one in clips]

    def loss(self) -> Tensor:
        """As `JudgeRun.loss`."""
        clips, answers = self.batch(self.step)
        with fast_autocast():
            with torch.no_grad():
                early = self.judge.early_maps(clips)
            scores = self.judge.score(clips, early)
        return judge_loss(scores, answers)


def judge_loss(scores: ClipScores, answers: list[tuple[int, int]]) -> Tensor:
    """Cross-entropy of both questions."""
    things, ways = torch.tensor(answers).T
    return F.cross_entropy(scores.things, things) + F.cross_entropy(scores.ways, ways)


def soften_clips(clips: Tensor, random: PictureRandom) -> Tensor:
    """Recolour clips (B, 3, F, H, W) a little, add noise, and blur some: what a tokenizer does."""

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return random.uniform(channels, 1, 1, 1, low=low, high=high)

    clips = clips * draw(0.94, 1.06) * draw(0.97, 1.03, channels=3) + draw(-0.04, 0.04)
    clips = clips + random.normal(*clips.shape[1:]) * draw(0.0, 0.06)
    small = F.avg_pool3d(clips, (1, 2, 2))
    halved = F.interpolate(small, size=clips.shape[2:], mode="trilinear")
    return torch.where(draw(0.0, 1.0) < HALVED, halved, clips).clamp(-1.0, 1.0)
