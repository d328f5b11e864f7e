"""What a training run is: networks, data and counters that the training loop moves on."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from training.data.batches import PlacedBatches, open_batches
from training.data.picture_source import PictureSource
from training.data.prepared_pictures import PreparedPictures
from training.data.token_source import TokenSource
from training.loop.checkpoint import (
    load_newest,
    save_model,
    save_run,
    save_sharded_run,
)
from training.loop.checkpoint_notes import (
    check_notes,
    check_same_origin,
    check_same_processes,
    warn_of_changes,
)
from training.loop.footprint import count_parameters
from training.loop.picture_random import PictureRandom
from training.loop.processes import device_name
from training.loop.run_settings import RunSettings
from training.loop.sharded_checkpoint import has_shards

logger = logging.getLogger(__name__)

MAX_EVALUATED = 1024  # pictures; of larger validation sets an even choice
WORKERS_OF_A_GPU = 4  # that read ahead, if the settings do not say

Parts = dict[str, dict[str, Tensor]]
AnySettings = TypeVar("AnySettings", bound=RunSettings)
Batch = TypeVar("Batch")


def run_details(
    precision: str, network: nn.Module, pictures: PictureSource | None
) -> dict[str, Any]:
    """Precision, size of a network, and how the pictures that it learns from are changed."""
    found = {"precision": precision, "parameters": count_parameters(network)}
    if isinstance(pictures, PreparedPictures):
        found["augmentation"] = pictures.augmentation.kind
    return found


def check_one_clock(minutes: float, num_processes: int) -> None:
    """Check that a time limit is not asked of several processes, whose clocks differ.

    Raises:
        ValueError: if it is.
    """
    if minutes and num_processes > 1:
        raise ValueError(
            f"minutes {minutes:g} follows one clock: leave it out, or start 1 process, "
            f"not {num_processes}"
        )


def steps_in_all(step: int, part: float) -> int:
    """Steps of a run that has done some of them in a part of its time, at the speed so far."""
    if part >= 1:
        return max(1, step)  # however late it is, a model is trained
    return max(step + 1, round(step / part))


class Run(ABC, Generic[AnySettings, Batch]):
    """One training run: its folder, its processes and its counters.

    A subclass builds the networks. It takes all randomness of a step from the random numbers that
    the loop hands it, which follow from run seed, step and picture; so resuming from a checkpoint
    is exact, and processes that share a batch learn what one would learn from all of it.

    Attributes:
        started: time of the monotonic clock from which a time limit counts; a run that goes on
            after a stop is as old as it was then.
        step: optimizer steps done, skipped ones included.
        pictures_seen: training pictures that all processes have taken.
    """

    model_name: str  # model folder inside the run's folder

    def __init__(self, settings: AnySettings, accelerator: Accelerator) -> None:
        check_one_clock(settings.minutes, accelerator.num_processes)
        self.started = time.monotonic()
        self.settings = settings
        self.folder = Path(settings.out)
        self.accelerator = accelerator
        self.step = 0
        self.pictures_seen = 0
        self._batches: Iterator[Any] | None = None
        device = accelerator.device
        self._skipped = torch.zeros((), dtype=torch.int64, device=device)
        self._skipped_in_row = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def skipped(self) -> int:
        """Steps that were skipped because the gradient was not finite; it waits for the device."""
        return int(self._skipped)

    @property
    def skipped_in_row(self) -> int:
        """Skipped steps since the last one that was done; it waits for the device."""
        return int(self._skipped_in_row)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run; under a time limit, as many as fit at the speed so far."""
        steps, minutes = self.settings.steps, self.settings.minutes
        if not minutes:
            return steps
        return min(steps, steps_in_all(self.step, self.seconds / 60 / minutes))

    @property
    def seconds(self) -> float:
        """Time that the run took, over all calls."""
        return time.monotonic() - self.started

    @property
    def total_batch(self) -> int:
        """Pictures of a step of all processes."""
        return self.settings.batch_size * self.accelerator.num_processes

    @property
    def highest_rate(self) -> float:
        """The highest learning rate of the run."""
        return self.settings.highest_rate(self.total_batch)

    def close(self) -> None:
        """Stop what runs beside the training; called once, whatever ended it."""
        self._batches = None

    @property
    @abstractmethod
    def source(self) -> PictureSource | TokenSource:
        """What the run learns from."""

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch; 0 where they never end."""
        return self.source.num_train

    @abstractmethod
    def batches(self) -> PlacedBatches[Any]:
        """The pictures or tokens of the training, by place."""

    def read(self) -> Any:
        """What the batch of the next step is made of, on the run's device."""
        if self._batches is None:
            workers = self.settings.workers
            if workers < 0:
                workers = WORKERS_OF_A_GPU if self.accelerator.device.type == "cuda" else 0
            self._batches = open_batches(
                self.batches(),
                self.accelerator,
                self.pictures_seen,
                self.settings.batch_size,
                workers if self.source.can_read_ahead else 0,
            )
        return next(self._batches)

    def step_random(self) -> PictureRandom:
        """Random numbers for the pictures that this process has in the next step."""
        size = self.settings.batch_size
        first = self.accelerator.process_index * size
        return PictureRandom(self.settings.seed, self.step, range(first, first + size))

    @abstractmethod
    def next_batch(self, random: PictureRandom) -> Batch:
        """The training data of the next step; it depends on step and random numbers alone."""

    @abstractmethod
    def train_step(self, batch: Batch, random: PictureRandom) -> dict[str, Any]:
        """Do one optimizer step, or skip it, and `count_step` it; returns its figures.

        It does not wait for the device: figures may be scalars there.
        """

    def made_from(self) -> dict[str, str]:
        """A hash of each thing without which the weights mean nothing, by its name."""
        return {}

    def details(self) -> dict[str, Any]:
        """What "auto" and the data have decided, for settings.json."""
        return {}

    def count_flops(self) -> int:
        """Floating-point operations of a step of this process; 0 if nobody knows them."""
        return 0

    def resolved(self) -> dict[str, Any]:
        """The whole configuration: settings, what they came to, and versions."""
        return {
            "settings": asdict(self.settings),
            "resolved": {
                "device": device_name(self.accelerator.device),
                "processes": self.accelerator.num_processes,
                "pictures_per_step": self.total_batch,
                "training_pictures": self.num_train,
                "highest_rate": self.highest_rate,
                **self.details(),
            },
            "versions": {name: version(name) for name in ("torch", "accelerate", "diffusers")},
        }

    def plan(self) -> list[str]:
        """What the run is going to do, in lines to print."""
        settings, lines = self.settings, []
        if self.num_train:
            epochs = self.total_steps * self.total_batch / self.num_train
            lines.append(
                f"{self.num_train:,} training pictures, {self.total_batch} a step: "
                f"{self.total_steps:,} steps are {epochs:.1f} epochs"
            )
        base = "" if settings.learning_rate else f", {settings.base_rate:g} for each 256 pictures"
        return [*lines, f"highest learning rate {self.highest_rate:g}{base}"]

    def log_figures(self) -> dict[str, Any]:
        """Further figures for a line of the log, of the steps since the last one."""
        return {}

    @abstractmethod
    def evaluate(self) -> tuple[dict[str, Any], np.ndarray]:
        """Figures of the averaged weights and a sheet of pictures, (H, W, 3) uint8.

        All processes call it and get the same.
        """

    @abstractmethod
    def parts(self) -> Parts:
        """All tensors that the run needs to resume exactly."""

    def layouts(self) -> Parts:
        """Tensors that are spread over the processes as those of `parts` are, once trained."""
        return {}

    @abstractmethod
    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned.

        Raises:
            ValueError: if the parts belong to another network.
        """

    @abstractmethod
    def averaged(self) -> ModelMixin:
        """The network with the averaged weights, float32, in eval mode."""

    def count_step(self, is_finite: Tensor) -> None:
        """Count a step that was done, or skipped because its gradient was not finite.

        Args:
            is_finite: scalar bool, on the run's device.
        """
        self.step += 1
        self.pictures_seen += self.total_batch
        self._skipped += ~is_finite
        self._skipped_in_row = (self._skipped_in_row + 1) * ~is_finite

    def resume(self) -> None:
        """Continue from the newest whole checkpoint, if there is one.

        Raises:
            ValueError: if it was made by another number of processes, whose sums round otherwise,
                or from other things.
        """
        newest = load_newest(self.folder, self.layouts())
        if newest is None:
            return
        parts, meta = newest
        check_notes(self.folder, meta)
        check_same_origin(self.folder, meta, self.made_from())
        check_same_processes(self.folder, meta, self.accelerator.num_processes, self.settings)
        self.restore(parts)
        self.step = meta["step"]
        self._skipped.fill_(meta["skipped"])
        self._skipped_in_row.fill_(meta["skipped_in_row"])
        self.pictures_seen = self.total_batch * self.step  # which old versions did not note
        if "pictures_seen" in meta:
            self.pictures_seen = meta["pictures_seen"]
        self.started -= meta.get("seconds", 0.0)
        warn_of_changes(meta, self.settings)
        logger.info("resumed at step %d", self.step)

    def save(self) -> None:
        """Write a checkpoint, and the averaged weights as a model folder; all processes call it.

        Raises:
            SaveError: if the disk is full or refuses; what was there before still is.
        """
        meta = {
            "config": asdict(self.settings),
            "processes": self.accelerator.num_processes,
            "pictures_seen": self.pictures_seen,
            "skipped": self.skipped,
            "skipped_in_row": self.skipped_in_row,
            "seconds": round(self.seconds, 1),
            "made_from": self.made_from(),
        }
        parts, model = self.parts(), self.averaged()
        if has_shards(parts):
            save_sharded_run(self.folder, self.step, parts, meta, self.accelerator)
        elif self.accelerator.is_main_process:
            save_run(self.folder, self.step, parts, meta)
        if self.accelerator.is_main_process:
            save_model(model, self.folder / self.model_name)
