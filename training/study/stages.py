"""Training with stops in between, after which networks are kept: how much data a method needs."""

import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from training.loop.run import Run
from training.loop.stop_signals import StopFlag
from training.loop.train_loop import train
from training.study.rival_runs import RivalRun
from var_core.checkpoints import WEIGHTS_FILE
from var_core.transformer import VARTransformer

STAGES = (0.25, 0.5, 1.0)  # parts of the training


class StageFlag(StopFlag):
    """A request to stop that also comes when a run has done some steps.

    Args:
        stop: request from elsewhere.
        run: the run.
        step: steps after which it stops.
    """

    def __init__(self, stop: StopFlag, run: Run[Any, Any], step: int) -> None:
        super().__init__()
        self.stop = stop
        self.run = run
        self.step = step

    @property
    def is_set(self) -> bool:
        """Whether to stop after the step in progress."""
        return self.run.step >= self.step or self.stop.is_set


def step_of(run: Run[Any, Any], part: float) -> int:
    """The step that ends a part of the training."""
    return max(1, round(part * run.total_steps))


def stage_folder(run: Run[Any, Any], part: float) -> Path:
    """Folder of the averaged weights after a part of the training."""
    return run.folder / f"after-{round(100 * part)}-percent"


def train_in_stages(run: Run[Any, Any], stop: StopFlag) -> bool:
    """Train a run to its end, from its newest checkpoint, and keep its weights after each part.

    Returns:
        Whether it came to its end; else it was stopped and saved.
    """
    try:
        run.resume()
        for part in STAGES:
            step = step_of(run, part)
            if run.step < step:
                train(run, StageFlag(stop, run, step))
            if run.step < step:
                return False
            folder = stage_folder(run, part)
            if run.step == step and not folder.exists():
                shutil.copytree(run.folder / run.model_name, folder)
    finally:
        run.close()
    return True


def network_after(run: RivalRun, part: float) -> VARTransformer:
    """The network with the averaged weights after a part of the training, in eval mode."""
    network = run.averaged()
    network.load_state_dict(load_file(stage_folder(run, part) / WEIGHTS_FILE))
    return network
