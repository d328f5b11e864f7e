"""Carries on values over the edge of what is known."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.editing.masks import fill_holes

SMOOTH_SIDE = 256  # pixels; what is smooth does not need more
RELAXATIONS = 60


def drawn_out(values: Tensor, known: np.ndarray, steps: int) -> Tensor:
    """Values at the edge of what is known, carried on over so many pixels.

    In every step, a pixel beside known ones becomes their mean, as by a 3 x 3 average over all of
    the picture; only the pixels at the front are computed.

    Args:
        values: (C, H, W).
        known: (H, W) bool.
        steps: pixels.

    Returns:
        (C, H, W); 0 beyond these pixels.
    """
    channels, height, width = values.shape
    wide = width + 2
    padded = np.zeros((channels, height + 2, wide), np.float32)
    padded[:, 1:-1, 1:-1] = torch.where(torch.from_numpy(known), values, 0.0).numpy()
    flat = padded.reshape(channels, -1)
    is_known = np.pad(known, 1).ravel()
    around = [down * wide + right for down in (-1, 0, 1) for right in (-1, 0, 1)]
    for front in _fronts(known, steps):
        total = np.zeros((channels, len(front)), np.float32)
        count = np.zeros(len(front), np.float32)
        for offset in around:  # row by row, as the average adds up: so the sums are equal in bits
            total += flat[:, front + offset]
            count += is_known[front + offset]
        share = np.maximum(count / np.float32(9), np.float32(1e-6))
        flat[:, front] = total / np.float32(9) / share
        is_known[front] = True
    return torch.from_numpy(padded[:, 1:-1, 1:-1])


def _fronts(known: np.ndarray, steps: int) -> Iterator[np.ndarray]:
    """Pixels at the distances 1, 2, ... from what is known (Chebyshev).

    Yields:
        Their places in the mask, flattened, with a border of one pixel.
    """
    wide = known.shape[1] + 2
    around = np.array([down * wide + right for down in (-1, 0, 1) for right in (-1, 0, 1)])
    is_open = np.pad(~known, 1).ravel()
    beside = np.pad(known, 1).ravel()
    beside[1:-1] |= beside[:-2] | beside[2:]
    beside[wide:-wide] |= beside[: -2 * wide] | beside[2 * wide :]
    front = np.flatnonzero(beside & is_open)
    order = np.empty(is_open.size, np.int64)
    for _ in range(steps):
        if not len(front):
            return
        yield front
        is_open[front] = False
        reached = (front + around[:, None]).ravel()
        reached = reached[is_open[reached]]
        order[reached] = np.arange(len(reached))
        front = reached[order[reached] == np.arange(len(reached))]  # each pixel once


def smooth_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width at which a continuation over a map of a size is computed."""
    return min(size[0], SMOOTH_SIDE), min(size[1], SMOOTH_SIDE)


def relaxed(sums: Tensor, share: Tensor) -> Tensor:
    """Values with a smooth continuation where none is known, close to the membrane.

    Args:
        sums: means of what is known, times its share, (1, C, H, W).
        share: share of each cell that is known, (1, 1, H, W), above 0 somewhere.

    Returns:
        (1, C, H, W).
    """
    maps = fill_holes(sums / share.clamp_min(1e-6), (share == 0).float())
    for _ in range(RELAXATIONS):
        around = F.pad(maps, (1, 1, 1, 1), mode="replicate")
        across = around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
        mean = (around[..., :-2, 1:-1] + around[..., 2:, 1:-1] + across) / 4
        maps = torch.where(share > 0, maps, mean)
    return maps
