"""The plain way to join a drawing with a picture: every pixel, at every scale, by pooling."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.editing import Window
from var_core.editing.continuation import relaxed, smooth_size
from var_core.editing.resizing import resized_part
from var_core.editing.seam import MAX_SHIFT
from var_core.images import tensor_to_uint8, uint8_to_tensor


def slow_composite(
    picture: np.ndarray, drawn: Tensor, mask: np.ndarray, window: Window, band: int
) -> np.ndarray:
    """A picture (H, W, 3) with what was drawn for a window under its mask (H, W)."""
    rows, columns = window.inside(*mask.shape[::-1])
    hole = mask[rows, columns]
    if drawn.shape[-2:] != window.shape:
        drawn = F.interpolate(drawn[None], window.shape, mode="bicubic", antialias=True)[0]
    drawn = drawn[
        :,
        rows.start - window.top : rows.stop - window.top,
        columns.start - window.left : columns.stop - window.left,
    ]
    source = uint8_to_tensor(picture[rows, columns][None])[0]
    if band and not hole.all():
        ring = slow_grow(hole, max(2, min(hole.shape) // 12)) & ~hole
        drawn = drawn + continued(source - drawn, ring).clamp(-MAX_SHIFT, MAX_SHIFT)
        inner = torch.from_numpy(np.where(hole, slow_feather(~hole, band), 0))
        drawn = torch.lerp(drawn, slow_drawn_out(source, ~hole, band), inner)
    weight = torch.from_numpy(slow_feather(hole, band))
    mixed = torch.lerp(torch.where(torch.from_numpy(hole), drawn, source), drawn, weight)
    pixels = tensor_to_uint8(mixed[None])[0]
    result = picture.copy()
    result[rows, columns] = np.where(weight.numpy()[..., None] > 0, pixels, picture[rows, columns])
    return result


def continued(values: Tensor, known: np.ndarray) -> Tensor:
    """Values (C, H, W) where they are known, carried on smoothly elsewhere, by pooling."""
    mask, small = torch.from_numpy(known), smooth_size(known.shape)
    share = F.interpolate(mask[None, None].float(), small, mode="area")
    sums = F.interpolate(torch.where(mask, values, 0.0)[None], small, mode="area")
    everything = (slice(0, known.shape[0]), slice(0, known.shape[1]))
    return resized_part(relaxed(sums, share)[0], known.shape, everything, "bilinear")


def slow_drawn_out(values: Tensor, known: np.ndarray, steps: int) -> Tensor:
    """As `drawn_out`, by averages over all of the picture."""
    mask = torch.from_numpy(known)[None].float()
    values = values * mask
    for _ in range(steps):
        share = F.avg_pool2d(mask, 3, 1, 1)
        reached = (share > 0) & (mask == 0)
        values = torch.where(reached, F.avg_pool2d(values, 3, 1, 1) / share.clamp_min(1e-6), values)
        mask = torch.where(reached, 1.0, mask)
    return values


def slow_feather(mask: np.ndarray, width: int) -> np.ndarray:
    """As `feather`, by pooling."""
    radius = width // 2
    size = 2 * radius + 1
    weight = torch.from_numpy(slow_grow(mask, radius))[None, None].float()
    for axes in ((size, 1), (1, size)):
        padding = (axes[0] // 2, axes[1] // 2)
        weight = F.avg_pool2d(weight, axes, 1, padding, count_include_pad=False)
    soft = weight[0, 0].numpy()
    return np.where(mask, np.float32(1), np.where(soft < 1e-6, np.float32(0), soft))


def slow_grow(mask: np.ndarray, pixels: int) -> np.ndarray:
    """As `grow`, by pooling."""
    if not pixels:
        return mask
    values = torch.from_numpy(mask if pixels > 0 else ~mask)[None, None].float()
    size = 2 * abs(pixels) + 1
    for axes in ((size, 1), (1, size)):
        values = F.max_pool2d(values, axes, 1, (axes[0] // 2, axes[1] // 2))
    grown = values[0, 0].numpy() > 0
    return grown if pixels > 0 else ~grown
