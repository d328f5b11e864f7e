"""The runs of a study, one after another; each goes on where it stopped."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from training.data import token_pool
from training.data.scenes.pictures import TABLE_FILE, ScenePictures
from training.data.token_pool import fill_pool
from training.loop.run import Run
from training.loop.stop_signals import StopFlag, stop_signals
from training.loop.train_loop import train
from training.study.budget import BudgetFlag
from training.study.points_file import PointsFile, curve_of, hardware_of
from training.study.settings import StudySettings
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE

logger = logging.getLogger(__name__)


@contextmanager
def studying(settings: StudySettings) -> Iterator[StopFlag]:
    """A request to stop, from a signal or the clock, while this process alone owns the folder.

    Convolutions in float32 stay exact on a GPU, so that other machines find the same tokens.

    Raises:
        ValueError: if another command works in the folder.
    """
    torch.backends.cudnn.allow_tf32 = False
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        with lock.acquire(timeout=0), stop_signals() as signals:
            yield BudgetFlag(signals, settings.budget_minutes)
    except Timeout as error:
        raise ValueError(f"another command works in {folder}") from error


def claim_scenes(settings: StudySettings, points: PointsFile) -> None:
    """Note which things and phrases the scenes are composed of.

    Raises:
        ValueError: if the points that there are come from others, or the folder has none.
    """
    path = Path(settings.data) / TABLE_FILE
    if not path.is_file():
        raise ValueError(
            f"{settings.data} holds no sprites; run: python -m training.prepare.scenes "
            f"--out {settings.data}"
        )
    points.claim("scenes", hashlib.sha256(path.read_bytes()).hexdigest()[:16])


def fill(
    folder: Path, scenes: ScenePictures, tokenizer: MultiScaleVQVAE, pool: int, stop: StopFlag
) -> Tensor | None:
    """Fill a pool, some thousand scenes at a time; returns its tokens, None if stopped.

    Raises:
        ValueError: if it belongs to other scenes or to another tokenizer.
        SaveError: if it cannot be written.
    """
    nn.Module.to(tokenizer.requires_grad_(False), pick_device())
    part = token_pool.SHARD_PICTURES
    tokens = None
    for size in (*range(part, pool, part), pool):
        if stop.is_set:
            return None
        tokens = fill_pool(folder, scenes, tokenizer, size)
    return tokens


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


def point_of(run: Run[Any, Any], operations: int, about: Mapping[str, Any]) -> dict[str, Any]:
    """The point of a run that is done.

    Args:
        run: the run.
        operations: floating-point operations that a picture costs it, forward and backward.
        about: what the run is.
    """
    curve = curve_of(run, operations)
    last = ", ".join(f"{key} {value:.4g}" for key, value in curve[-1].items())
    logger.info("%s: %s", run.folder.name, last)
    return {
        **about,
        "rate": run.highest_rate,
        "operations_per_picture": operations,
        "hardware": hardware_of(run),
        **curve[-1],
        "curve": curve,
    }
