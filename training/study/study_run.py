"""What the runs of the study share: what a batch costs, and the start of those beside VAR."""

import time
from abc import abstractmethod
from typing import Any

import torch

from training.data.token_source import TokenSource
from training.loop.precision import resolve_precision
from training.loop.processes import new_accelerator
from training.loop.run import Run
from training.study.held_back import HeldBack
from training.transformer.conditioning import Conditioning
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings


class StudyRun(TransformerRun):
    """A run whose cost is counted for each picture or line."""

    held_back: HeldBack

    @abstractmethod
    def operations(self) -> int:
        """Floating-point operations that a picture or line costs, forward and backward."""

    def count_flops(self) -> int:
        """Floating-point operations of a step of this process."""
        return self.settings.batch_size * self.operations()


class GivenSourceRun(StudyRun):
    """A run that is given what it learns from; the network is built by its subclasses.

    Args:
        settings: settings of the run; those of VAR that it has no use for are left alone.
        source: pictures or lines to learn from, those for validation included.
        conditioning: what the network is told.
        num_validation: pictures or lines to measure with.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        source: TokenSource,
        conditioning: Conditioning,
        num_validation: int,
    ) -> None:
        # not that of VAR, which opens pictures and their tokens
        Run.__init__(self, settings, new_accelerator(settings))
        self.started = time.monotonic()
        self.precision = resolve_precision(settings.mixed_precision, self.accelerator.device)
        self.dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        self.tokens = self.held_back = HeldBack(source, num_validation)
        self.conditioning = conditioning

    def made_from(self) -> dict[str, str]:
        """Nothing: what it learns from is given, and the points of a study know whose that is."""
        return {}

    def details(self) -> dict[str, Any]:
        """Precision of the network."""
        return {"precision": self.precision}
