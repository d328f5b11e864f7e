"""Random numbers of pictures: the same for a picture, whichever process and part it falls to."""

import hashlib
from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

from training.loop.transfer import sent

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, the increment of SplitMix64
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
CPU = torch.device("cpu")
LONG = 1 << 40  # numbers that are left to parts of a batch


class PictureRandom:
    """A stream of random numbers for each picture of a batch (SplitMix64).

    A number depends on seed, step, picture, and on how many were drawn for the picture before. So
    processes that share a batch draw what one process would draw for all of it, and a batch in
    parts gets the numbers of the whole.

    Args:
        seed: seed of the run.
        step: number of the step; negative ones serve other purposes.
        pictures: numbers of the pictures, from 0 on, in the batch of all processes or in the data.
    """

    def __init__(self, seed: int, step: int, pictures: Sequence[int]) -> None:
        digest = hashlib.sha256(f"{seed}/{step}".encode()).digest()
        start = np.frombuffer(digest[:8], "<u8")
        self._keys = _mix(start + _mix((np.array(pictures, np.uint64) + np.uint64(1)) * GOLDEN))
        self._drawn = 0
        self._ahead: tuple[int, Tensor] | None = None  # place of the first one, bits on a device

    def __len__(self) -> int:
        return len(self._keys)

    def uniform(
        self, *shape: int, low: float = 0.0, high: float = 1.0, device: torch.device = CPU
    ) -> Tensor:
        """Numbers in [low, high): (B, *shape) float32, the same on every device."""
        if device.type == "cpu":
            unit = (self._bits(shape) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
            return torch.from_numpy(unit) * (high - low) + low
        return _shifted(self._bits_on(device, shape), 40).float() * 2.0**-24 * (high - low) + low

    def normal(self, *shape: int, device: torch.device = CPU) -> Tensor:
        """Numbers of mean 0 and deviation 1: (B, *shape) float32, on all devices up to rounding."""
        if device.type == "cpu":
            whole = torch.from_numpy((self._bits(shape) >> np.uint64(11)).astype(np.float64))
        else:
            whole = _shifted(self._bits_on(device, shape), 11).double()
        return torch.special.ndtri((whole + 0.5) * 2.0**-53).float()

    def integers(self, limit: int, *shape: int, device: torch.device = CPU) -> Tensor:
        """Whole numbers from 0 to below a limit, at most 2^62: (B, *shape) int64."""
        if device.type != "cpu":
            return _shifted(self._bits_on(device, shape), 1) % limit
        return torch.from_numpy(
            ((self._bits(shape) >> np.uint64(1)) % np.uint64(limit)).astype("i8")
        )

    def make_ahead(self, count: int, device: torch.device) -> None:
        """Make the next numbers of each picture at once: a GPU is slow at many small steps.

        Args:
            count: numbers that the next calls with this device draw.
            device: device to make them on; nothing happens for the CPU.
        """
        if device.type != "cpu":
            self._ahead = self._drawn, self._made_on(device, self._drawn, count)

    def part(self, index: Tensor) -> "PictureRandom":
        """The streams of some pictures; the whole goes on with numbers that no part draws.

        Args:
            index: rows (N,) int64, or (B,) bool; on the CPU.
        """
        return self._parts([index.numpy()])[0]

    def chunk(self, count: int) -> "list[PictureRandom]":
        """The streams of equal parts of the batch, at most `count`, split as `Tensor.chunk`."""
        size = -(-len(self) // count)
        rows = np.arange(len(self))
        return self._parts([rows[start : start + size] for start in range(0, len(self), size)])

    def _parts(self, indices: Sequence[np.ndarray]) -> "list[PictureRandom]":
        parts: list[PictureRandom] = []
        for index in indices:
            part = copy(self)
            part._keys = self._keys[index]
            part._ahead = None
            parts.append(part)
        self._drawn += LONG
        return parts

    def _bits(self, shape: Sequence[int]) -> np.ndarray:
        """The next random bits of each picture, (B, *shape) uint64."""
        count = int(np.prod(shape, dtype=np.int64))
        places = np.arange(self._drawn + 1, self._drawn + 1 + count, dtype=np.uint64)
        self._drawn += count
        return _mix(self._keys[:, None] + places * GOLDEN).reshape(len(self), *shape)

    def _bits_on(self, device: torch.device, shape: Sequence[int]) -> Tensor:
        """As `_bits`, made on a device that many numbers need not travel to, as int64."""
        count = int(np.prod(shape, dtype=np.int64))
        first, self._drawn = self._drawn, self._drawn + count
        if self._ahead is not None:
            start, bits = self._ahead
            if start <= first and first + count <= start + bits.shape[1]:
                return bits[:, first - start :][:, :count].reshape(len(self), *shape)
        return self._made_on(device, first, count).reshape(len(self), *shape)

    def _made_on(self, device: torch.device, first: int, count: int) -> Tensor:
        """Random bits from a place on, (B, count) int64."""
        places = torch.arange(first + 1, first + 1 + count, device=device)
        keys = sent(torch.from_numpy(self._keys.view("i8")), device)
        bits = keys[:, None] + places * int(GOLDEN.view("i8"))  # int64 products wrap around too
        for shift, factor in ((30, FIRST), (27, SECOND)):
            bits = (bits ^ _shifted(bits, shift)) * int(factor.view("i8"))
        return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, count: int) -> Tensor:
    """Shift int64 to the right as if it were uint64, which PyTorch does not."""
    return (bits >> count) & ((1 << (64 - count)) - 1)


def _mix(bits: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64, on arrays, which wrap around."""
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    return bits ^ (bits >> np.uint64(31))
