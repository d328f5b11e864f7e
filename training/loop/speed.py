"""How fast a run is, and how much of a GPU it uses."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import monotonic

import torch

LAST_STEPS = 50
# floating-point operations per second in bf16 without sparsity, by parts of device names; the
# first that fits counts (data sheets of the vendor)
PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "L40S": 362e12,
    "A100": 312e12,
    "RTX 4090": 165e12,
    "A10": 125e12,
    "L4": 121e12,
    "RTX 3090": 71e12,
}


class Speed:
    """Seconds of the last steps; what is done beside them counts apart."""

    def __init__(self) -> None:
        self._last = monotonic()
        self._recent: deque[float] = deque(maxlen=LAST_STEPS)
        self._steps = 0
        self._beside = 0.0  # seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the time of the block out of the steps."""
        start = monotonic()
        try:
            yield
        finally:
            seconds = monotonic() - start
            self._beside += seconds
            self._last += seconds

    def tick(self) -> float:
        """A step is done; returns its seconds. The first one, which compiles, counts no further."""
        now = monotonic()
        seconds, self._last = now - self._last, now
        self._steps += 1
        if self._steps == 2:
            self._recent.clear()
        self._recent.append(seconds)
        return seconds

    @property
    def per_step(self) -> float:
        """Mean seconds of the last 50 steps; 0 before the first one."""
        return sum(self._recent) / max(1, len(self._recent))

    def left(self, steps: int) -> float:
        """Seconds that some more steps take, with what is done beside them."""
        return steps * (self.per_step + self._beside / max(1, self._steps))

    def used(self, flops: int, device: torch.device) -> dict[str, float]:
        """`mfu`: used part of a GPU whose peak is known; nothing for others.

        Args:
            flops: floating-point operations of a step of this process.
            device: device of the run.
        """
        peak = peak_of(device)
        if not (peak and flops and self.per_step):
            return {}
        return {"mfu": round(flops / self.per_step / peak, 4)}


def peak_of(device: torch.device) -> float:
    """Floating-point operations per second of a GPU in bf16, 0 where they are not known."""
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), 0.0)


def peak_memory(device: torch.device) -> dict[str, float]:
    """`peak_memory_gib`: largest memory of this process so far; on its GPU if it has one."""
    if device.type == "cuda":
        size = torch.cuda.max_memory_allocated(device)
    elif sys.platform == "win32":
        return {}
    else:
        import resource  # there is none on Windows

        unit = 1 if sys.platform == "darwin" else 1024
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"peak_memory_gib": round(size / 2**30, 3)}


def duration(seconds: float) -> str:
    """Seconds as "1:05:00"."""
    return str(timedelta(seconds=round(seconds)))


def clock_time(seconds: float) -> str:
    """The time in some seconds, as "14:05", with the date where that is another day."""
    now = datetime.now().astimezone()
    then = now + timedelta(seconds=seconds)
    return then.strftime("%H:%M" if then.date() == now.date() else "%d %b %H:%M")
