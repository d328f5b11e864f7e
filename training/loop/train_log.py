"""What a run leaves to look at: log.jsonl, TensorBoard files, sheets of pictures, a bar."""

import json
import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.loop.run import Run

logger = logging.getLogger(__name__)

LOG_FILE = "log.jsonl"
LOG_EVERY = 20  # steps
FIRST_STEPS = 3  # after which the first estimate of the time is made


class TrainLog:
    """The log of one run; entered by the first process alone, the others have a `NoLog`."""

    def __init__(self, run: Run[Any, Any]) -> None:
        self.run = run
        self.folder = run.folder

    def __enter__(self) -> Self:
        run = self.run
        self.folder.mkdir(parents=True, exist_ok=True)
        forget_after(self.folder / LOG_FILE, run.step)
        self.file = (self.folder / LOG_FILE).open("a")
        self.board = SummaryWriter(self.folder / "tensorboard", purge_step=run.step + 1)
        self.pictures_per_step = run.settings.batch_size * run.accelerator.num_processes
        self.bar = tqdm(
            total=run.settings.steps * self.pictures_per_step,
            initial=run.step * self.pictures_per_step,
            unit="image",
            unit_scale=True,
            disable=None,  # where there is no terminal
        )
        self.last_step, self.last_time = run.step, time.monotonic()
        self.first_step, self.started = run.step, self.last_time
        if run.step < run.total_steps:
            self._say("the first step takes longer than the others: up to minutes, with compiling")
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        self.board.close()
        self.file.close()

    def tick(self) -> None:
        """Move the bar on after a step; the first steps make the first estimate of the time."""
        step, now = self.run.step, time.monotonic()
        self.bar.update(step * self.pictures_per_step - self.bar.n)
        if step == self.first_step + 1:
            self._say(f"the first step took {now - self.started:.0f} s")
            self.started = now
        elif step == self.first_step + FIRST_STEPS:
            seconds = (now - self.started) / (FIRST_STEPS - 1)
            left = timedelta(seconds=round(seconds * (self.run.total_steps - step)))
            self._say(f"a step takes {seconds:.2g} s; about {left} left, without evaluations")

    def _say(self, text: str) -> None:
        with self.bar.external_write_mode():
            logger.info(text)

    def write(self, figures: Mapping[str, object]) -> None:
        """Write the figures of the step that was just done to log and TensorBoard."""
        step = self.run.step
        figures = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in figures.items()
        }
        if isinstance(loss := figures.get("loss"), float):
            self.bar.set_postfix(loss=f"{loss:.3f}")
        now = time.monotonic()
        seconds = (now - self.last_time) / (step - self.last_step)
        self.last_step, self.last_time = step, now
        record = {**figures, "seconds_per_step": round(seconds, 3)}
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()
        for name, value in record.items():
            values = value if isinstance(value, list) else [value]
            for number, one in enumerate(values):
                tag = f"{name}/{number}" if isinstance(value, list) else name
                if one is not None and name != "step":
                    self.board.add_scalar(tag, one, step)

    def show(self, sheet: np.ndarray, figures: Mapping[str, object]) -> None:
        """Save a sheet of pictures, (H, W, 3) uint8, and print the figures that go with it."""
        step = self.run.step
        Image.fromarray(sheet).save(self.folder / f"sheet-{step:06d}.png")
        self.board.add_image("sheet", sheet, step, dataformats="HWC")
        shown = [
            f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, float)
        ]
        with self.bar.external_write_mode():
            logger.info("step %d: %s", step, ", ".join(shown))


class NoLog:
    """The log of all processes but the first: nothing is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""

    def tick(self) -> None:
        """Do nothing."""

    def write(self, figures: Mapping[str, object]) -> None:
        """Do nothing."""

    def show(self, sheet: np.ndarray, figures: Mapping[str, object]) -> None:
        """Do nothing."""


def open_log(run: Run[Any, Any]) -> TrainLog | NoLog:
    """The log of a run in this process."""
    return TrainLog(run) if run.accelerator.is_main_process else NoLog()


def forget_after(path: Path, step: int) -> None:
    """Drop the log lines of steps that a resumed run is about to repeat."""
    if not path.exists():
        return
    kept = [
        line
        for line in path.read_text("utf-8").splitlines(keepends=True)
        if line.endswith("\n") and json.loads(line)["step"] <= step
    ]
    path.write_text("".join(kept), "utf-8")
