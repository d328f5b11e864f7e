"""What a run would take: settings, sizes, memory, and its duration by a few real steps."""

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, TypeVar

import psutil
import torch
from accelerate import PartialState

from training.loop.footprint import Footprint
from training.loop.heartbeat import busy
from training.loop.run import Run
from training.loop.run_settings import RunSettings
from training.loop.speed import Speed, clock_time, duration
from training.loop.train_log import plain
from var_core.devices import pick_device

TRIED_PICTURES = 256  # of each split
MEASURED_STEPS = 3  # after the first one, which compiles
MOST_SECONDS = 30.0  # for all of them; then fewer are measured, at least one

AnySettings = TypeVar("AnySettings", bound=RunSettings)


@dataclass(frozen=True)
class Trial:
    """A run to measure.

    Attributes:
        run: a run on a few pictures, as slow as the one that is planned.
        seconds_before: what the planned one does before its first step.
    """

    run: Run[Any, Any]
    seconds_before: float = 0.0


def dry_run(
    settings: AnySettings,
    plan: Callable[[AnySettings], Footprint],
    make_trial: Callable[[AnySettings, str], Trial],
) -> None:
    """Print what a run would take; nothing is left behind.

    Args:
        settings: settings of the run.
        plan: estimate of its size.
        make_trial: builder of a run to measure, in a folder.

    Raises:
        ValueError: if settings or data cannot be used.
    """
    processes = PartialState(cpu=pick_device().type == "cpu")
    try:
        footprint = plan(settings)
        if processes.is_main_process:
            print(footprint.describe(settings), flush=True)
        if sum(footprint.memory.values()) > free_memory(pick_device()):
            told = "duration: not measured, as the run needs more memory than is free here"
        else:
            with busy("measuring a few steps", processes.is_main_process):
                told = expected_duration(settings, make_trial)
        if processes.is_main_process:
            print(told)
    finally:
        processes.destroy_process_group()


def expected_duration(
    settings: AnySettings, make_trial: Callable[[AnySettings, str], Trial]
) -> str:
    """The duration of a run in words, from a few of its steps."""
    with TemporaryDirectory() as folder:
        trial = make_trial(settings, folder)
        try:
            first, following, count = time_steps(trial.run)
        finally:
            trial.run.close()
    seconds = trial.seconds_before + first + following * (settings.steps - 1)
    if settings.minutes:
        seconds = min(seconds, 60 * settings.minutes)
    before = f"{duration(trial.seconds_before)} before it, " if trial.seconds_before >= 1 else ""
    return (
        f"expected duration: {duration(seconds)}, until {clock_time(seconds)}, without "
        f"evaluations\n  {before}{shown(first)} for the first step, {shown(following)} for each of "
        f"the others, {count} of which were measured"
    )


def time_steps(run: Run[Any, Any]) -> tuple[float, float, int]:
    """Seconds of the first step and of one of the next, and how many of these were measured."""
    first, start, speed = 0.0, 0.0, Speed()
    for number in range(1 + MEASURED_STEPS):
        random = run.step_random()
        plain(run.train_step(run.next_batch(random), random))  # waits for the device
        seconds = speed.tick()
        if number == 0:
            first, start = seconds, monotonic()
        elif monotonic() - start > MOST_SECONDS:
            return first, speed.per_step, number
    return first, speed.per_step, MEASURED_STEPS


def shown(seconds: float) -> str:
    """Seconds with two digits, or whole ones."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
