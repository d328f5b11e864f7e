"""The command line of a trainer: settings, lock, processes, resume, then the training loop."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from filelock import FileLock, Timeout

from training.loop.checkpoint import SaveError
from training.loop.command_line import check_out, fail, fail_to_write, parse_settings
from training.loop.dry_run import Trial, dry_run
from training.loop.footprint import Footprint
from training.loop.heartbeat import busy
from training.loop.run import Run
from training.loop.run_settings import RunSettings
from training.loop.stop_signals import stop_signals
from training.loop.trackers import check_tracker
from training.loop.train_loop import train
from var_core.devices import pick_device
from var_core.exit_codes import EXIT_BAD_INPUT
from var_core.terminal import run_quietly

EXIT_NOT_FINITE = 4
EXIT_SAVE = 5
EXIT_LOCKED = 6

AnySettings = TypeVar("AnySettings", bound=RunSettings)


def train_command(
    make_run: Callable[[AnySettings], Run[Any, Any]],
    plan: Callable[[AnySettings], Footprint],
    make_trial: Callable[[AnySettings, str], Trial],
    settings_type: type[AnySettings],
    about: str,
    argv: Sequence[str] | None,
) -> int:
    """Run the command line of a trainer.

    Args:
        make_run: builder of a run.
        plan: estimate of the size of a run, for `--dry-run`.
        make_trial: builder of a run to measure in a folder, for `--dry-run`.
        settings_type: dataclass of the settings.
        about: description shown by `--help`.
        argv: command-line arguments; None takes those of the process.

    Returns:
        0 when done; 130 or 143 when stopped by Ctrl-C or SIGTERM and saved; 2 for settings or data
        that cannot be used; 3 when the folder cannot be written; 4 when gradients stay not finite;
        5 when a checkpoint cannot be saved; 6 when another run writes to the same folder; 141 if
        nobody reads what it prints.
    """
    return run_quietly(
        lambda: _planned_or_run(make_run, plan, make_trial, settings_type, about, argv)
    )


def _planned_or_run(
    make_run: Callable[[AnySettings], Run[Any, Any]],
    plan: Callable[[AnySettings], Footprint],
    make_trial: Callable[[AnySettings, str], Trial],
    settings_type: type[AnySettings],
    about: str,
    argv: Sequence[str] | None,
) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = parse_settings(settings_type, argv, about)
        if settings.dry_run:
            dry_run(settings, plan, make_trial)
            return 0
        check_out(settings)
        check_tracker(settings.tracker)
    except ValueError as error:
        return fail(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        return fail_to_write(error)
    return _run(make_run, settings)


def _run(make_run: Callable[[AnySettings], Run[Any, Any]], settings: AnySettings) -> int:
    lock = FileLock(Path(settings.out) / ".lock")
    # without the hint, processes that torchrun starts on CPUs would not know of each other
    processes = PartialState(cpu=pick_device().type == "cpu")
    try:
        if processes.is_main_process:
            Path(settings.out).mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        with stop_signals() as stop:
            try:
                with busy("opening data and networks", processes.is_main_process):
                    run = make_run(settings)
                    run.resume()
            except ValueError as error:
                return fail(str(error), EXIT_BAD_INPUT)
            try:
                train(run, stop)
                if run.step < run.total_steps:
                    return stop.exit_code
            finally:
                run.close()
    except Timeout:
        return fail(f"another run is writing to {settings.out}", EXIT_LOCKED)
    except SaveError as error:
        return fail(str(error), EXIT_SAVE)
    except BrokenPipeError:
        raise  # ends the command quietly
    except OSError as error:
        return fail_to_write(error)
    except FloatingPointError as error:
        return fail(str(error), EXIT_NOT_FINITE)
    except (MemoryError, torch.OutOfMemoryError):
        return fail("the memory is too small: choose a smaller --batch-size", EXIT_BAD_INPUT)
    finally:
        lock.release()
        processes.destroy_process_group()
    return 0
