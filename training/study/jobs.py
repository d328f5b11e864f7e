"""The runs of a study, one after another; each goes on where it stopped."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import nn

from training.data import token_pool
from training.data.scenes.pictures import ScenePictures
from training.data.token_pool import fill_pool
from training.loop.run import Run
from training.loop.stop_signals import StopFlag, stop_signals
from training.loop.train_loop import train
from training.study.budget import BudgetFlag
from training.study.held_back import open_scenes
from training.study.points_file import PointsFile, curve_of, forget_checkpoints, hardware_of
from training.study.settings import StudySettings
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE

logger = logging.getLogger(__name__)


@contextmanager
def studying(settings: StudySettings) -> Iterator[StopFlag]:
    """A request to stop, from a signal or the clock, while this process alone owns the folder.

    Raises:
        ValueError: if another command works in the folder.
    """
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        with lock.acquire(timeout=0), stop_signals() as signals:
            yield BudgetFlag(signals, settings.budget_minutes)
    except Timeout as error:
        raise ValueError(f"another command works in {folder}") from error


def paint_scenes(settings: StudySettings, stop: StopFlag) -> ScenePictures | None:
    """Paint and encode what the pool lacks, some thousand scenes at a time; None if stopped.

    Raises:
        ValueError: if data or tokenizer cannot be used.
        SaveError: if the pool cannot be written.
    """
    tokenizer = load_tokenizer(settings.tokenizer_folder)
    scenes = open_scenes(settings.data, tokenizer.image_shape[0])
    folder = Path(settings.out) / "pool"
    return scenes if fill(folder, scenes, tokenizer, settings.pool, stop) else None


def fill(
    folder: Path, scenes: ScenePictures, tokenizer: MultiScaleVQVAE, pool: int, stop: StopFlag
) -> bool:
    """Fill a pool, some thousand scenes at a time; returns whether it is full.

    Raises:
        ValueError: if it belongs to other scenes or to another tokenizer.
        SaveError: if it cannot be written.
    """
    nn.Module.to(tokenizer.requires_grad_(False), pick_device())
    part = token_pool.SHARD_PICTURES
    for size in (*range(part, pool, part), pool):
        if stop.is_set:
            return False
        fill_pool(folder, scenes, tokenizer, size)
    return True


def train_to_end(run: Run[Any, Any], stop: StopFlag) -> bool:
    """Train a run to its end, from its newest checkpoint if there is one.

    Returns:
        Whether it came to its end; else it was stopped and saved.
    """
    try:
        run.resume()
        train(run, stop)
    finally:
        run.close()
    return run.step >= run.total_steps


def run_to_point(
    run: Run[Any, Any],
    operations: int,
    stop: StopFlag,
    points: PointsFile,
    name: str,
    about: Mapping[str, Any],
) -> bool:
    """Train a run to its end, from its newest checkpoint if there is one, and write its point.

    Args:
        run: run to train.
        operations: floating-point operations that a picture costs it, forward and backward.
        stop: request to stop.
        points: file that gets the point.
        name: name of the point.
        about: what the run is.

    Returns:
        Whether the run is done; else it was stopped and saved.
    """
    if not train_to_end(run, stop):
        return False
    curve = curve_of(run, operations)
    points.add(
        name,
        {
            **about,
            "rate": run.highest_rate,
            "operations_per_picture": operations,
            "hardware": hardware_of(run),
            **curve[-1],
            "curve": curve,
        },
    )
    forget_checkpoints(run.folder)
    logger.info("%s: %s", name, ", ".join(f"{key} {value:.4g}" for key, value in curve[-1].items()))
    return True
