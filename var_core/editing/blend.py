"""Puts what was drawn into a picture, so that no seam shows."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.editing.masks import feather, fill_holes, grow
from var_core.editing.windows import Window
from var_core.images import tensor_to_uint8, uint8_to_tensor

MAX_SHIFT = 0.25  # of colours in [-1, 1]
SMOOTH_SIDE = 256  # pixels; what is smooth does not need more
RELAXATIONS = 60


def composite(
    picture: np.ndarray, drawn: Tensor, mask: np.ndarray, window: Window, band: int
) -> np.ndarray:
    """A picture with what was drawn under its mask.

    The drawing is shifted to the colours around the hole. In a band outside of the hole it is mixed
    with the picture, in one inside with the picture's edge, drawn out into the hole.

    Args:
        picture: (H, W, 3) uint8; what is under the mask has no influence.
        drawn: a square of any size for the window, (3, S, S) in [-1, 1].
        mask: (H, W) bool; what lies outside the window stays as it is.
        window: place of the square in the picture.
        band: width of the bands in pixels; 0 pastes the drawing as it is.

    Returns:
        (H, W, 3) uint8, equal to the picture outside the mask and its band.
    """
    height, width = mask.shape
    rows, columns = window.inside(width, height)
    hole = mask[rows, columns]
    if drawn.shape[-1] != window.side:
        size = (window.side, window.side)
        drawn = F.interpolate(drawn[None], size, mode="bicubic", antialias=True)[0]
    drawn = drawn[
        :,
        rows.start - window.top : rows.stop - window.top,
        columns.start - window.left : columns.stop - window.left,
    ]
    source = uint8_to_tensor(picture[rows, columns][None])[0]
    if band and not hole.all():
        ring = grow(hole, max(2, min(hole.shape) // 12)) & ~hole
        drawn = drawn + continued(source - drawn, ring).clamp(-MAX_SHIFT, MAX_SHIFT)
        inner = torch.from_numpy(np.where(hole, feather(~hole, band), 0))
        drawn = torch.lerp(drawn, drawn_out(source, ~hole, band), inner)
    weight = torch.from_numpy(feather(hole, band))
    mixed = torch.lerp(torch.where(torch.from_numpy(hole), drawn, source), drawn, weight)
    pixels = tensor_to_uint8(mixed[None])[0]
    result = picture.copy()
    result[rows, columns] = np.where(weight.numpy()[..., None] > 0, pixels, picture[rows, columns])
    return result


def drawn_out(values: Tensor, known: np.ndarray, steps: int) -> Tensor:
    """Values at the edge of what is known, carried on over so many pixels.

    Args:
        values: (C, H, W).
        known: (H, W) bool.
        steps: pixels.
    """
    mask = torch.from_numpy(known)[None].float()
    values = values * mask
    for _ in range(steps):
        share = F.avg_pool2d(mask, 3, 1, 1)
        reached = (share > 0) & (mask == 0)
        values = torch.where(reached, F.avg_pool2d(values, 3, 1, 1) / share.clamp_min(1e-6), values)
        mask = torch.where(reached, 1.0, mask)
    return values


def continued(values: Tensor, known: np.ndarray) -> Tensor:
    """Values with a smooth continuation where they are not known, close to the membrane.

    Args:
        values: (C, H, W).
        known: (H, W) bool, true somewhere.

    Returns:
        (C, H, W); large pictures are smoothed where they are known too.
    """
    height, width = known.shape
    small = (min(height, SMOOTH_SIDE), min(width, SMOOTH_SIDE))
    mask = torch.from_numpy(known)
    share = F.interpolate(mask[None, None].float(), small, mode="area")
    sums = F.interpolate(torch.where(mask, values, 0.0)[None], small, mode="area")
    maps = fill_holes(sums / share.clamp_min(1e-6), (share == 0).float())
    for _ in range(RELAXATIONS):
        around = F.pad(maps, (1, 1, 1, 1), mode="replicate")
        across = around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
        mean = (around[..., :-2, 1:-1] + around[..., 2:, 1:-1] + across) / 4
        maps = torch.where(share > 0, maps, mean)
    return F.interpolate(maps, (height, width), mode="bilinear")[0]
