"""What both training runs have in common, and what each has to say of itself."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
from accelerate import Accelerator
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from training.loop.checkpoint import load_newest, save_model, save_run

logger = logging.getLogger(__name__)

MAX_EVALUATED = 1024  # pictures, of larger validation sets an even choice

Parts = dict[str, dict[str, Tensor]]


class Config(Protocol):
    """What every run's settings have."""

    out: str
    steps: int
    batch_size: int
    save_every: int
    evaluate_every: int
    dry_run: bool


class Run(ABC):
    """One training run: its place on disk, its processes and its counters.

    A subclass builds its networks, calls `resume` never by itself, and draws all randomness of a
    step from run seed, step and rank alone; so going on from a checkpoint is exact.

    Attributes:
        step: optimiser steps done, skipped ones included.
        skipped: steps that were left out because the gradient was not finite.
        skipped_in_row: of these, how many came one after another just now.
    """

    model_name: str  # of the model folder in the run's folder

    def __init__(self, config: Config, accelerator: Accelerator) -> None:
        self.config = config
        self.folder = Path(config.out)
        self.accelerator = accelerator
        self.step = 0
        self.skipped = 0
        self.skipped_in_row = 0

    @abstractmethod
    def train_step(self) -> dict:
        """Do one optimiser step and `count_step` it; returns its figures."""

    @abstractmethod
    def evaluate(self) -> tuple[dict, np.ndarray]:
        """Figures of the averaged weights and a sheet of pictures, (H, W, 3) uint8.

        All processes call it and find the same.
        """

    @abstractmethod
    def parts(self) -> Parts:
        """All tensors that the run needs to go on exactly where it is."""

    @abstractmethod
    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned."""

    @abstractmethod
    def averaged(self) -> ModelMixin:
        """The network with the averaged weights, float32, in eval mode."""

    def count_step(self, finite: bool) -> None:
        """Count a step that was done, or left out because its gradient was not finite."""
        self.step += 1
        self.skipped += not finite
        self.skipped_in_row = 0 if finite else self.skipped_in_row + 1

    def resume(self) -> None:
        """Continue from the newest whole checkpoint, if there is one.

        Raises:
            ValueError: if it was made by another number of processes, which would draw other data.
        """
        newest = load_newest(self.folder)
        if newest is None:
            return
        parts, meta = newest
        processes = self.accelerator.num_processes
        if meta["processes"] != processes:
            raise ValueError(
                f"{self.folder} was trained by {meta['processes']} processes and can only go on "
                f"with as many, not with {processes}"
            )
        self.restore(parts)
        self.step, self.skipped = meta["step"], meta["skipped"]
        self.skipped_in_row = meta["skipped_in_row"]
        settings = asdict(self.config)
        for name, value in meta["config"].items():
            now = settings.get(name)
            if (list(now) if isinstance(now, tuple) else now) != value:
                logger.warning("%s was %s until step %d, now it is %s", name, value, self.step, now)
        logger.info("resumed at step %d", self.step)

    def save(self) -> None:
        """Write a checkpoint, and the averaged weights as a model folder; all processes call it.

        Raises:
            SaveError: if the disk is full or refuses; what was there before still is.
        """
        meta = {
            "config": asdict(self.config),
            "processes": self.accelerator.num_processes,
            "skipped": self.skipped,
            "skipped_in_row": self.skipped_in_row,
        }
        parts, model = self.parts(), self.averaged()
        if self.accelerator.is_main_process:
            save_run(self.folder, self.step, parts, meta)
            save_model(model, self.folder / self.model_name)
