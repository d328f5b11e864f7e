"""The loop that both trainers share: step, evaluate, save, log; resume first."""

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from accelerate import Accelerator

from training.config import EXIT_BAD_INPUT, parse_config

LOG_EVERY = 20


class Config(Protocol):
    """What the loop reads of a run's settings, in steps."""

    steps: int
    evaluate_every: int
    save_every: int


class Run(Protocol):
    """What the loop asks of a run."""

    config: Config
    folder: Path
    accelerator: Accelerator
    step: int

    def resume(self) -> None:
        """Continue from the newest complete checkpoint, if there is one."""

    def train_step(self) -> dict:
        """Do one optimiser step, count it, return its figures."""

    def evaluate(self) -> dict:
        """Figures of the averaged weights."""

    def save(self) -> None:
        """Write a checkpoint."""


def train_command(
    make_run: Callable[[object], Run], config_type: type, about: str, argv: Sequence[str] | None
) -> int:
    """The command line of a trainer; returns 0, or 2 for settings or data that do not do."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = parse_config(config_type, argv, about)
    try:
        run = make_run(config)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    run_to_the_end(run)
    return 0


def run_to_the_end(run: Run) -> None:
    """Resume, then train to the last step, logging to `log.jsonl` in the run's folder."""
    run.folder.mkdir(parents=True, exist_ok=True)
    run.resume()
    config = run.config
    started, first = time.monotonic(), run.step
    with (run.folder / "log.jsonl").open("a") as log:
        while run.step < config.steps:
            record = run.train_step()
            is_last = run.step == config.steps
            if not run.accelerator.is_main_process:
                continue
            if run.step % config.evaluate_every == 0 or is_last:
                record |= run.evaluate()
            if run.step % config.save_every == 0 or is_last:
                run.save()
            if run.step % LOG_EVERY == 0 or is_last:
                seconds = (time.monotonic() - started) / (run.step - first)
                log.write(json.dumps(record | {"seconds_per_step": round(seconds, 3)}) + "\n")
                log.flush()
