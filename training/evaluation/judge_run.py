"""A judge in training on an endless stream: its steps, its checkpoints, and going on from them."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

import torch
from torch import Tensor, nn

from training.loop.checkpoint import check_parts, load_newest, save_run
from training.loop.optimizer_state import optimizer_tensors, restore_optimizer

logger = logging.getLogger(__name__)

MAX_NORM = 5.0
JUDGE_PART, OPTIMIZER_PART = "judge", "optimizer"
AnyJudge = TypeVar("AnyJudge", bound=nn.Module)


class Group(TypedDict):
    """Parameters that share a learning rate, and its highest value."""

    params: list[nn.Parameter]
    highest: float


class JudgeRun(ABC, Generic[AnyJudge]):
    """The training of a judge, which resumes from the newest checkpoint of its folder.

    Args:
        judge: judge with its first weights.
        groups: parameters that are trained.
        weight_decay: weight decay of all of them.
        num_steps: number of steps of the whole training.
        save_every: number of steps between two checkpoints.
        folder: place of the checkpoints.
        meta: what a checkpoint must have been made with.

    Raises:
        ValueError: if the checkpoint there was made with other settings.
    """

    def __init__(
        self,
        judge: AnyJudge,
        groups: Sequence[Group],
        weight_decay: float,
        num_steps: int,
        save_every: int,
        folder: Path,
        meta: dict[str, Any],
    ) -> None:
        self.judge, self.folder, self.meta = judge, folder, meta
        self.num_steps, self.save_every, self.step = num_steps, save_every, 0
        self.trained = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = torch.optim.AdamW([{**one} for one in groups], weight_decay=weight_decay)
        self.is_resumed = self._resume()

    @abstractmethod
    def loss(self) -> Tensor:
        """The loss of the current step, for `backward`."""

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

    def run(self, stop_after: int | None = None) -> AnyJudge:
        """Train to the end, or to a step; returns the judge in eval mode."""
        last = min(self.num_steps, stop_after or self.num_steps)
        total = 0.0
        while self.step < last:
            total += self._train_step()
            if self.step % 20 == 0:
                logger.info("step %d of %d: loss %.3f", self.step, self.num_steps, total / 20)
                total = 0.0
            if self.step % self.save_every == 0 or self.step == last:
                self._save()
        return self.judge.eval()

    def _train_step(self) -> float:
        self.judge.train()
        factor = rate_factor((self.step + 1) / self.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * group["highest"]
        loss = self.loss()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, MAX_NORM)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def _save(self) -> None:
        parts = {
            JUDGE_PART: self.judge.state_dict(),
            OPTIMIZER_PART: optimizer_tensors(self.optimizer),
        }
        save_run(self.folder, self.step, parts, self.meta)


def rate_factor(progress: float) -> float:
    """Learning rate over the highest: up to 1 in a fifth of the run, then down to 0."""
    if progress < 0.2:
        return progress / 0.2
    return 0.5 + 0.5 * math.cos(math.pi * (progress - 0.2) / 0.8)
