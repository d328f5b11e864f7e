"""Turns SIGTERM and Ctrl-C into a request to stop after the step in progress."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import cast

import torch
from accelerate import Accelerator
from torch import Tensor

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopFlag:
    """Whether a run was asked to stop, in any of its processes.

    Attributes:
        number: number of the signal that this process got; 0 without one.
    """

    def __init__(self) -> None:
        self.number = 0

    @property
    def is_set(self) -> bool:
        """Whether this process was asked to stop."""
        return self.number != 0

    @property
    def exit_code(self) -> int:
        """The exit code of a run that stopped: 128 and the signal, as shells expect it."""
        return 128 + (self.number or signal.SIGTERM)

    def set(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the step in progress is finished first; a second signal ends at once."""
        self.number = number
        signal.signal(number, signal.SIG_DFL)

    def is_set_anywhere(self, accelerator: Accelerator) -> bool:
        """Whether any process was asked to stop: the same answer in all of them."""
        if accelerator.num_processes == 1:
            return self.is_set
        flag = torch.tensor(float(self.is_set), device=accelerator.device)
        return bool(cast(Tensor, accelerator.reduce(flag, "sum")) > 0)


def ignore_stop_signals(worker: int = 0) -> None:
    """Leave signals that reach all processes of a run to the one that trains."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


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
