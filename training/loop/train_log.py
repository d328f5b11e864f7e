"""What a run leaves to look at: settings.json, log.jsonl, trackers, sheets of pictures, a bar."""

import errno
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from training.loop.heartbeat import Heartbeat
from training.loop.run import Run
from training.loop.speed import Speed, clock_time, duration, peak_memory, peak_of
from training.loop.trackers import log_scalars, log_sheet, start_trackers, stop_trackers
from var_core.files import write_atomically

logger = logging.getLogger(__name__)

LOG_FILE = "log.jsonl"
SETTINGS_FILE = "settings.json"
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
        resolved = json.dumps(run.resolved(), indent=2, ensure_ascii=False)
        (self.folder / SETTINGS_FILE).write_text(resolved + "\n", "utf-8")
        forget_after(self.folder / LOG_FILE, run.step)
        self.file = (self.folder / LOG_FILE).open("a")
        start_trackers(run)
        self.bar = tqdm(
            total=run.settings.steps * run.total_batch,
            initial=run.step * run.total_batch,
            unit="image",
            unit_scale=True,
            disable=None,  # where there is no terminal
        )
        self.first_step, self.speed, self.state = run.step, Speed(), ""
        self.heartbeat = Heartbeat(self.bar, self._progress)
        self.flops = run.count_flops() if peak_of(run.accelerator.device) else 0
        for line in run.plan():
            self._say(line)
        if run.step < run.total_steps:
            self._say("the first step takes longer than the others: up to minutes, with compiling")
            self.heartbeat.start("first step")
        return self

    def __exit__(self, *error: object) -> None:
        self.heartbeat.close()
        self.bar.close()
        stop_trackers(self.run)
        self.file.close()

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Say what is done beside the steps, in the bar; it counts for no step."""
        self.heartbeat.start(what)
        with self.speed.paused():
            yield
        self.heartbeat.start("")

    def tick(self) -> None:
        """Move the bar on after a step; the first steps make the first estimate of the time."""
        step = self.run.step
        seconds = self.speed.tick()
        self.bar.update(step * self.run.total_batch - self.bar.n)
        if step == self.first_step + 1:
            self.heartbeat.start("")
            self._say(f"the first step took {seconds:.0f} s")
        elif step == self.first_step + FIRST_STEPS:
            left = self.speed.per_step * (self.run.total_steps - step)
            self._say(
                f"a step takes {self.speed.per_step:.2g} s; about {duration(left)} left, until "
                f"{clock_time(left)}, without evaluations"
            )

    def _progress(self) -> str:
        """How far the run is, where no bar shows it."""
        step, total = self.run.step, self.run.total_steps
        return ", ".join(filter(None, (f"step {step:,} of {total:,}", self.state)))

    def _say(self, text: str) -> None:
        with self.bar.external_write_mode():
            logger.info(text)

    def write(self, figures: Mapping[str, object]) -> None:
        """Write the figures of the step that was just done to log and trackers."""
        run, speed = self.run, self.speed
        left = speed.left(run.total_steps - run.step)
        record = plain(figures) | {"pictures": run.pictures_seen}
        if run.num_train:
            record["epoch"] = round(run.pictures_seen / run.num_train, 3)
        record |= {
            "seconds_per_step": round(speed.per_step, 4),
            "seconds_left": round(left),
            **peak_memory(run.accelerator.device),
            **speed.used(self.flops, run.accelerator.device),
        }
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()
        log_scalars(run, record)
        shown = [f"epoch {record['epoch']:.1f}"] if "epoch" in record else []
        if isinstance(loss := record.get("loss"), float):
            shown.append(f"loss {loss:.3f}")
        self.state = ", ".join([*shown, f"ends {clock_time(left)}"])
        self.bar.set_postfix_str(self.state)

    def show(self, sheet: np.ndarray, figures: Mapping[str, object]) -> None:
        """Save a sheet of pictures, (H, W, 3) uint8, and print the figures that go with it."""
        run = self.run
        Image.fromarray(sheet).save(self.folder / f"sheet-{run.step:06d}.png")
        log_sheet(run, sheet)
        shown = [
            f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, float)
        ]
        epoch = f", epoch {run.pictures_seen / run.num_train:.1f}" if run.num_train else ""
        end = clock_time(self.speed.left(run.total_steps - run.step))
        with self.bar.external_write_mode():
            logger.info(
                "step %d of %d%s, ends %s: %s",
                *(run.step, run.total_steps, epoch, end, ", ".join(shown)),
            )


class NoLog:
    """The log of all processes but the first: nothing is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Say nothing."""
        yield

    def tick(self) -> None:
        """Do nothing."""

    def write(self, figures: Mapping[str, object]) -> None:
        """Do nothing."""

    def show(self, sheet: np.ndarray, figures: Mapping[str, object]) -> None:
        """Do nothing."""


def open_log(run: Run[Any, Any]) -> TrainLog | NoLog:
    """The log of a run in this process."""
    return TrainLog(run) if run.accelerator.is_main_process else NoLog()


def plain(figures: Mapping[str, object]) -> dict[str, Any]:
    """Figures as numbers; those on a device are waited for."""
    return {
        name: value.item() if isinstance(value, Tensor) else value
        for name, value in figures.items()
    }


def forget_after(path: Path, step: int) -> None:
    """Drop the log lines of steps that a resumed run is about to repeat, and damaged ones.

    Raises:
        OSError: if the log is no regular file, or cannot be written.
    """
    if not path.exists():
        return
    if not path.is_file():  # a pipe could be waited for without end
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if line.endswith(b"\n") and 0 <= _step_of(line) <= step]
    write_atomically(path, b"".join(kept))


def _step_of(line: bytes) -> int:
    """The step of a line of the log; -1 for a damaged line."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return -1
    step = found.get("step") if isinstance(found, dict) else None
    return step if type(step) is int else -1
