"""The loop that both trainers share: step, evaluate, save, log; resume first, lose nothing."""

import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import torch
from accelerate import Accelerator, PartialState
from filelock import FileLock, Timeout
from PIL import Image
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.loop.checkpoint import SaveError
from training.loop.config import EXIT_BAD_INPUT, parse_config
from training.loop.footprint import Footprint
from training.loop.run import Run
from var_core.devices import pick_device

logger = logging.getLogger(__name__)

EXIT_NOT_FINITE = 4
EXIT_SAVE = 5
EXIT_LOCKED = 6
LOG_EVERY = 20
MAX_SKIPPED_IN_ROW = 10
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopFlag:
    """Whether somebody asked the run to stop, in any process."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the step in progress is finished first; a second one is final."""
        self.is_set = True
        signal.signal(number, signal.SIG_DFL)

    def anywhere(self, accelerator: Accelerator) -> bool:
        """The same answer in all processes: whether any of them was asked."""
        if accelerator.num_processes == 1:
            return self.is_set
        flag = torch.tensor(float(self.is_set), device=accelerator.device)
        return bool(accelerator.reduce(flag, "sum") > 0)


@contextmanager
def stop_signals() -> Iterator[StopFlag]:
    """Turn SIGTERM and Ctrl-C into a flag while the block runs."""
    flag = StopFlag()
    before = {number: signal.signal(number, flag.set) for number in STOP_SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train_command(
    make_run: Callable[[object], Run],
    plan: Callable[[object], Footprint],
    config_type: type,
    about: str,
    argv: Sequence[str] | None,
) -> int:
    """The command line of a trainer.

    Args:
        make_run: builds a run of settings.
        plan: what such a run takes, for `--dry-run`.
        config_type: the settings.
        about: description shown by `--help`.
        argv: the arguments, or None for those of the process.

    Returns:
        0 when done, or stopped by a signal and saved; 2 for settings or data that do not do; 4
        when gradients stay not finite; 5 when a checkpoint cannot be saved; 6 when another run
        writes to the same folder.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = parse_config(config_type, argv, about)
    if config.dry_run:
        try:
            print(plan(config).describe(config))
        except ValueError as error:
            return _fail(str(error), EXIT_BAD_INPUT)
        return 0
    lock = FileLock(Path(config.out) / ".lock")
    # without the hint, processes that torchrun starts on CPUs would not know of each other
    processes = PartialState(cpu=pick_device().type == "cpu")
    try:
        if processes.is_main_process:
            Path(config.out).mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        with stop_signals() as stop:
            try:
                run = make_run(config)
                run.resume()
            except ValueError as error:
                return _fail(str(error), EXIT_BAD_INPUT)
            train(run, stop)
    except Timeout:
        return _fail(f"another run is writing to {config.out}", EXIT_LOCKED)
    except SaveError as error:
        return _fail(str(error), EXIT_SAVE)
    except FloatingPointError as error:
        return _fail(str(error), EXIT_NOT_FINITE)
    finally:
        lock.release()
        processes.destroy_process_group()
    return 0


def train(run: Run, stop: StopFlag) -> None:
    """Go on to the last step or until asked to stop, and save.

    All processes go through the same lines, the first one alone writes: figures to `log.jsonl` and
    TensorBoard files in the run's folder.

    Raises:
        SaveError: if a checkpoint, the log or a sheet cannot be written.
        FloatingPointError: after more than 10 steps in a row without a finite gradient.
    """
    try:
        with Journal(run) if run.accelerator.is_main_process else nullcontext() as journal:
            for record in _steps(run, stop):
                is_last = run.step == run.config.steps
                if run.step % run.config.evaluate_every == 0 or is_last:
                    figures, sheet = run.evaluate()
                    record |= figures
                    if journal is not None:
                        journal.show(sheet, figures)
                if journal is not None and (run.step % LOG_EVERY == 0 or is_last):
                    journal.write(record)
                if run.step % run.config.save_every == 0 and not is_last:
                    run.save()
    except SaveError:
        raise
    except OSError as error:
        raise SaveError(f"{run.folder} cannot be written: {error}") from error
    run.save()
    if run.step < run.config.steps:
        logger.info("stopped at step %d; the same command goes on from here", run.step)


def _steps(run: Run, stop: StopFlag) -> Iterator[dict]:
    """Do steps in every process until the last one or until any process was asked to stop."""
    while run.step < run.config.steps and not stop.anywhere(run.accelerator):
        record = run.train_step()
        if run.skipped_in_row > MAX_SKIPPED_IN_ROW:
            raise FloatingPointError(
                f"{run.skipped_in_row} steps in a row had no finite gradient; the last checkpoint "
                f"in {run.folder} is from before: lower the learning rate and go on from it"
            )
        yield record | {"step": run.step, "skipped": run.skipped}


class Journal:
    """The log, TensorBoard files, sheets and progress bar of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.folder

    def __enter__(self) -> "Journal":
        run = self.run
        self.folder.mkdir(parents=True, exist_ok=True)
        _forget_after(self.folder / "log.jsonl", run.step)
        self.log = (self.folder / "log.jsonl").open("a")
        self.board = SummaryWriter(self.folder / "tensorboard", purge_step=run.step + 1)
        self.pictures = run.config.batch_size * run.accelerator.num_processes  # per step
        self.bar = tqdm(
            total=run.config.steps * self.pictures,
            initial=run.step * self.pictures,
            unit="image",
            unit_scale=True,
            disable=None,  # where there is no terminal
        )
        self.first, self.started = run.step, time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        self.board.close()
        self.log.close()

    def write(self, record: dict) -> None:
        """Note the figures of a step."""
        run = self.run
        self.bar.update(run.step * self.pictures - self.bar.n)
        if "loss" in record:
            self.bar.set_postfix(loss=f"{record['loss']:.3f}")
        seconds = (time.monotonic() - self.started) / (run.step - self.first)
        record = record | {"seconds_per_step": round(seconds, 3)}
        self.log.write(json.dumps(record) + "\n")
        self.log.flush()
        for name, value in record.items():
            values = value if isinstance(value, list) else [value]
            for number, one in enumerate(values):
                tag = f"{name}/{number}" if isinstance(value, list) else name
                if one is not None and name != "step":
                    self.board.add_scalar(tag, one, run.step)

    def show(self, sheet: object, figures: dict) -> None:
        """Keep a sheet of pictures and tell the figures that go with it."""
        step = self.run.step
        Image.fromarray(sheet).save(self.folder / f"sheet-{step:06d}.png")
        self.board.add_image("sheet", sheet, step, dataformats="HWC")
        told = [
            f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, float)
        ]
        with self.bar.external_write_mode():
            logger.info("step %d: %s", step, ", ".join(told))


def _forget_after(path: Path, step: int) -> None:
    """Drop the lines of steps that a run is about to do again."""
    if not path.exists():
        return
    kept = [
        line
        for line in path.read_text("utf-8").splitlines(keepends=True)
        if line.endswith("\n") and json.loads(line)["step"] <= step
    ]
    path.write_text("".join(kept), "utf-8")


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
