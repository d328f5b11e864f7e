"""Puts what was drawn into a picture, so that no seam shows."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.editing.masks import feather, fill_holes, grow
from var_core.editing.windows import Window

MAX_SHIFT = 0.25  # of colours in [-1, 1]


def composite(
    picture: np.ndarray, drawn: Tensor, mask: np.ndarray, window: Window, band: int
) -> np.ndarray:
    """A picture with what was drawn under its mask.

    Args:
        picture: (H, W, 3) uint8.
        drawn: a square of any size for the window, (3, S, S) in [-1, 1].
        mask: (H, W) bool; what lies outside the window stays as it is.
        window: where the square belongs.
        band: width of the band around the mask in which the two are mixed, in pixels.

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
    source = torch.from_numpy(picture[rows, columns]).permute(2, 0, 1).float() / 127.5 - 1
    drawn = drawn + colour_shift(source, drawn, hole)
    weight = torch.from_numpy(feather(hole, band))
    mixed = torch.lerp(torch.where(torch.from_numpy(hole), drawn, source), drawn, weight)
    pixels = ((mixed + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    result = picture.copy()
    result[rows, columns] = np.where(weight.numpy()[..., None] > 0, pixels, picture[rows, columns])
    return result


def colour_shift(source: Tensor, drawn: Tensor, hole: np.ndarray) -> Tensor:
    """What to add to a drawing so that its colours meet those around the hole.

    The difference between both, in a ring around the hole, is continued smoothly over it.

    Args:
        source: (3, H, W) in [-1, 1].
        drawn: likewise.
        hole: (H, W) bool; of the source only what is outside has influence.

    Returns:
        (3, H, W), small; zeros if the hole is all there is.
    """
    ring = grow(hole, max(2, min(hole.shape) // 12)) & ~hole
    if not ring.any():
        return torch.zeros_like(drawn)
    known = torch.from_numpy(ring)
    difference = torch.where(known, source - drawn, 0.0)
    continued = fill_holes(difference[None], (~known).float()[None, None])[0]
    return continued.clamp(-MAX_SHIFT, MAX_SHIFT)
