"""A request to stop that also comes from the clock."""

import time
from types import FrameType

from training.loop.stop_signals import StopFlag


class BudgetFlag(StopFlag):
    """Whether a study was asked to stop, or its time is over.

    Args:
        signals: flag that signals set.
        minutes: time from now on; 0 for no limit.
    """

    def __init__(self, signals: StopFlag, minutes: float) -> None:
        super().__init__()
        self.signals = signals
        self.end = time.monotonic() + 60 * minutes if minutes else float("inf")

    @property
    def is_set(self) -> bool:
        """Whether to stop after the step in progress."""
        return self.signals.is_set or time.monotonic() >= self.end

    def set(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on."""
        self.signals.set(number, frame)
