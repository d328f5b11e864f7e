"""TensorBoard and Weights & Biases, by the trackers of Accelerate."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from training.loop.run import Run

PROJECT = "var-studio"


def check_tracker(name: str) -> None:
    """Raise ValueError if a tracker is not installed."""
    if name != "none" and find_spec(name) is None:
        raise ValueError(f"{name} is not installed: pip install {name}, or --tracker none")


def start_trackers(run: Run[Any, Any]) -> None:
    """Open the run's tracker; steps that a resumed run repeats are replaced."""
    run.accelerator.init_trackers(
        PROJECT,
        init_kwargs={
            "tensorboard": {"purge_step": run.step + 1},
            "wandb": {"name": run.folder.name, "dir": str(run.folder), "config": run.resolved()},
        },
    )


def log_scalars(run: Run[Any, Any], figures: dict[str, Any]) -> None:
    """Log the figures of a step; lists become a figure for each scale."""
    values: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, list):
            values |= {f"{name}/{number}": one for number, one in enumerate(value)}
        elif value is not None and name != "step":
            values[name] = value
    run.accelerator.log(values, step=run.step)


def log_sheet(run: Run[Any, Any], sheet: np.ndarray) -> None:
    """Log a sheet of pictures, (H, W, 3) uint8."""
    for tracker in run.accelerator.trackers:
        layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
        tracker.log_images({"sheet": sheet[None]}, step=run.step, **layout)


def stop_trackers(run: Run[Any, Any]) -> None:
    """Close the run's tracker; its processes go on."""
    for tracker in run.accelerator.trackers:
        tracker.finish()
