"""Masks and what is put under them. True or 1 means: draw this anew."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from var_core.editing.boxes import box_around, runs
from var_core.images import VISITORS, PictureLimits, copied, read_layers, upright_layers

EMPTY = "the mask is empty: paint the area to change"
STRIP = 128  # rows of a feather that are made at once
SOLID = 128  # half of the range of lightness, and of opacity
UNCLEAR = (
    "the mask is transparent in places, and nothing else is light: it does not say what to redraw; "
    "paint that white, on black or on nothing"
)


def read_mask(source: str | Path | bytes, limits: PictureLimits | None = VISITORS) -> np.ndarray:
    """Read a mask from a picture file: what is half grey or lighter, and opaque, is redrawn.

    Args:
        source: path or content of a file.
        limits: what may be read, as for `read_image`.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: if it is no such file, or does not say what to redraw.
    """
    return _light_parts(read_layers(source, limits))


def _light_parts(layers: Image.Image) -> np.ndarray:
    """Where an upright RGB or RGBA picture is light and opaque: (H, W) bool.

    Raises:
        ValueError: if it is transparent in places and light nowhere.
    """
    light = np.asarray(layers.convert("L")) >= SOLID
    if layers.mode == "RGB":
        return light
    opaque = np.asarray(layers.getchannel("A")) >= SOLID
    if not (light & opaque).any() and not opaque.all():
        raise ValueError(UNCLEAR)
    return light & opaque


def check_mask(mask: object, size: tuple[int, int]) -> np.ndarray:
    """A mask that fits a picture.

    Args:
        mask: a PIL picture of any mode (what is half grey or lighter, and opaque, is redrawn); or
            a (H, W) array of bool, of numbers from 0 to 1 (0.5 or more is redrawn), or of whole
            numbers to 255 (128 or more is redrawn).
        size: width and height of the picture.

    Returns:
        (H, W) bool, with something to redraw.

    Raises:
        ValueError: if it has another size or form, is not finite, or is empty.
    """
    if isinstance(mask, Image.Image) and mask.mode != "F":
        found = _light_parts(upright_layers(copied(mask)))
    else:
        if isinstance(mask, Tensor):  # numpy has no bfloat16, and its arrays are on the CPU
            mask = (mask.float() if mask.is_floating_point() else mask).detach().cpu()
        found = _high_values(np.asarray(mask))
    if found.shape[::-1] != size:
        sizes = (f"{found.shape[1]}x{found.shape[0]}", f"{size[0]}x{size[1]}")
        raise ValueError(
            f"mask and picture must have the same size, they have {' and '.join(sizes)}"
        )
    if not found.any():
        raise ValueError(EMPTY)
    return found


def _high_values(values: np.ndarray) -> np.ndarray:
    """Where an array of numbers is in the upper half of its range: (H, W) bool.

    Raises:
        ValueError: if it has another form, or its range is not clear.
    """
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise ValueError(
            f"a mask is a picture or a (height, width) array of numbers, got {values.shape} "
            f"of {values.dtype}"
        )
    if values.dtype.kind == "b":
        return values.copy()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("a mask holds numbers, not NaN or infinity")
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    is_grey = values.dtype.kind in "iu" and high > 1
    if low < 0 or high > (255 if is_grey else 1):
        raise ValueError(
            f"a mask holds numbers from 0 to 1, or whole numbers to 255, got {low} to {high}"
        )
    return values >= (SOLID if is_grey else 0.5)


def fill_holes(images: Tensor, holes: Tensor) -> Tensor:
    """Replace what is in the holes by a smooth continuation of what is around them.

    The pixels in the holes have no influence.

    Args:
        images: (B, C, H, W).
        holes: (1, 1, H, W), 1 in the holes, 0 elsewhere.

    Returns:
        (B, C, H, W), unchanged outside the holes; zeros if there is nothing outside.
    """
    filled = fill_shares(torch.where(holes > 0, 0.0, images), 1 - holes)
    return torch.where(holes > 0, filled, images)


def fill_shares(sums: Tensor, known: Tensor) -> Tensor:
    """Means where a share of each pixel is known, with a smooth continuation where less is.

    Weighted means over ever larger squares are taken until a square holds something that is known,
    and put back from large to small (push-pull).

    Args:
        sums: means of what is known, times its share, (B, C, H, W).
        known: share of each pixel that is known, (1, 1, H, W) in [0, 1].

    Returns:
        (B, C, H, W); zeros if nothing is known.
    """
    height, width = sums.shape[-2:]
    side = 1 << (max(height, width) - 1).bit_length()
    edges = (0, side - width, 0, side - height)
    known, sums = F.pad(known, edges), F.pad(sums, edges)
    levels = [(sums, known)]
    while sums.shape[-1] > 1:
        sums, known = F.avg_pool2d(sums, 2), F.avg_pool2d(known, 2)
        levels.append((sums, known))
    filled = sums / known.clamp_min(1e-12)
    for sums, known in reversed(levels[:-1]):
        filled = F.interpolate(filled, scale_factor=2, mode="bilinear")
        filled = sums + (1 - known) * filled  # the sums are means times what is known
    return filled[..., :height, :width]


def feather_width(mask: np.ndarray) -> int:
    """Width of the feather of a mask (H, W): 5 % of the shorter side, 2 pixels or more."""
    return max(2, round(0.05 * min(mask.shape)))


def feather(mask: np.ndarray, width: int) -> np.ndarray:
    """1 on a mask, falling to 0 within so many pixels (Chebyshev distance) around it.

    Args:
        mask: (H, W) bool.
        width: width of the band in pixels, at least 0; edits take `feather_width`.

    Returns:
        (H, W) float32 in [0, 1], exactly 1 on the mask and exactly 0 beyond the band.
    """
    radius, length = width // 2, mask.shape[1]
    counts, heights = _count_within(grow(mask, radius), radius)
    shares = counts.astype(np.float32) / heights.astype(np.float32)  # means over columns
    columns = np.arange(length)
    widths = np.minimum(columns + radius, length - 1) - np.maximum(columns - radius, 0) + 1
    soft = np.zeros_like(shares)
    for top in range(0, len(mask), STRIP):  # a strip stays in the cache
        rows = slice(top, top + STRIP)
        padded = np.pad(shares[rows], ((0, 0), (radius, radius)))
        near = grow(np.any(shares[rows], axis=0)[None], radius)[0]
        for run in runs(near & ~mask[rows].all(axis=0), radius):
            total = np.zeros((len(padded), run.stop - run.start), np.float32)
            for shift in range(2 * radius + 1):
                total += padded[:, run.start + shift : run.stop + shift]
            soft[rows, run] = total / widths[run].astype(np.float32)
    return np.where(mask, np.float32(1), np.where(soft < 1e-6, np.float32(0), soft))


def grow(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask with a border of so many pixels added, or taken away where they are negative.

    Args:
        mask: (H, W) bool.
        pixels: Chebyshev distance.
    """
    if not pixels or not mask.any():
        return mask
    box = box_around(mask, abs(pixels))
    near = mask[box] if pixels > 0 else ~mask[box]
    for _ in range(2):
        near = (_count_within(near, abs(pixels))[0] > 0).T
    grown = np.zeros_like(mask)
    grown[box] = near if pixels > 0 else ~near
    return grown


def _count_within(mask: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of a mask (H, W) is true within a distance in each column, of how many rows.

    Returns:
        (H, W) and (H, 1) int32.
    """
    height, width = mask.shape
    sums = np.zeros((height + 1, width), np.int32)
    np.cumsum(mask, axis=0, out=sums[1:])
    ends = np.minimum(np.arange(height) + radius + 1, height)
    starts = np.maximum(np.arange(height) - radius, 0)
    return sums[ends] - sums[starts], (ends - starts)[:, None].astype(np.int32)
