"""What the model sees of a window."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from var_core.editing.boxes import Place
from var_core.editing.masks import fill_holes, fill_shares
from var_core.editing.windows import Window
from var_core.images import uint8_to_tensor

CELLS = 4  # to a pixel of the model; a window of more than twice as many pixels is first reduced
FEWEST_CELLS = 512  # a side


def view(
    pixels: np.ndarray, unknown: np.ndarray, window: Window, inside: Place, shape: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """A window at the size of the model's pictures; what is unknown has no influence.

    Args:
        pixels: what is inside the window, (H, W, 3) uint8.
        unknown: what of it is not known, (H, W) bool.
        window: the window; what lies outside the picture is unknown too.
        inside: rows and columns of the picture that it covers.
        shape: height and width of the model's pictures.

    Returns:
        (1, 3, H, W) in [-1, 1], and its holes, (1, 1, H, W), 1 where not all is known.
    """
    counts = [max(CELLS * length, FEWEST_CELLS) for length in shape]
    if all(length > 2 * count for length, count in zip(window.shape, counts, strict=True)):
        image, holes = reduced(pixels, unknown, window, inside, counts)
    else:
        image, holes = _whole(pixels, unknown, window, inside)
        if window.shape != shape:
            image = fill_holes(image, holes)  # else what is hidden would leak over the border
    if image.shape[-2:] != shape:
        image = F.interpolate(image, shape, mode="bicubic", antialias=True).clamp(-1, 1)
        touched = F.interpolate(holes, shape, mode="bilinear", antialias=True)
        holes = (touched > 1e-6).float()
    return image, holes


def view_known(
    picture: Image.Image, unknown: np.ndarray, window: Window, shape: tuple[int, int]
) -> Tensor:
    """A window at the size of the model's pictures, (1, 3, H, W), in [-1, 1].

    What is unknown, (H, W) bool of the picture, has no influence: it is a smooth continuation.
    """
    inside = window.inside(*picture.size)
    pixels = np.asarray(picture)[inside]
    image, holes = view(pixels, unknown[inside], window, inside, shape)
    return fill_holes(image, holes)


def _whole(
    pixels: np.ndarray, unknown: np.ndarray, window: Window, inside: Place
) -> tuple[Tensor, Tensor]:
    """A window and its holes, pixel for pixel."""
    top, left = inside[0].start - window.top, inside[1].start - window.left
    place = (..., slice(top, top + len(pixels)), slice(left, left + pixels.shape[1]))
    image = torch.zeros(1, 3, *window.shape, dtype=torch.float32)
    holes = torch.ones(1, 1, *window.shape, dtype=torch.float32)
    image[place] = uint8_to_tensor(pixels[None])
    holes[place] = torch.from_numpy(unknown).float()
    return image, holes


def reduced(
    pixels: np.ndarray, unknown: np.ndarray, window: Window, inside: Place, counts: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """A large window as means over boxes of known pixels, at the price of reading them once.

    Args:
        pixels: what is inside the window, (H, W, 3) uint8.
        unknown: what of it is not known, (H, W) bool.
        window: the window; what lies outside the picture is unknown too.
        inside: rows and columns of the picture that it covers.
        counts: boxes in a column and in a row.

    Returns:
        (1, 3, h, w) in [-1, 1], filled where nothing is known, and (1, 1, h, w), 1 where not all of
        a box is known.
    """
    edges = [
        np.arange(count + 1) * length // count
        for length, count in zip(window.shape, counts, strict=True)
    ]
    corner = (window.top, window.left)
    spans = [
        slice(part.start - start, part.stop - start)
        for part, start in zip(inside, corner, strict=True)
    ]
    known = _sums(~unknown[..., None], edges, spans)
    sums = _sums(np.where(unknown[..., None], np.uint8(0), pixels), edges, spans)
    heights, widths = map(np.diff, edges)
    areas = torch.from_numpy(heights[:, None] * widths[None]).float()
    shares = known / areas
    image = fill_shares((sums / 127.5 - known) / areas, shares)
    return image, (shares < 1).float()


def _sums(values: np.ndarray, edges: list[np.ndarray], spans: list[slice]) -> Tensor:
    """Sums over boxes of what lies in a part of them: (H, W, C) to (1, C, h, w)."""
    cells, cuts = [], []
    for span, cut in zip(spans, edges, strict=True):
        first = int(np.searchsorted(cut, span.start, side="right")) - 1
        last = int(np.searchsorted(cut, span.stop, side="left"))
        cells.append(slice(first, last))
        cuts.append(cut[first : last + 1].clip(span.start, span.stop) - span.start)
    lines = [values[cut[0] : cut[1]].sum(axis=0, dtype=np.uint32) for cut in pairwise(cuts[0])]
    found = np.add.reduceat(np.stack(lines), cuts[1][:-1], axis=1).astype(np.float32)
    counts = [len(cut) - 1 for cut in edges]
    sums = torch.zeros(1, values.shape[-1], *counts, dtype=torch.float32)
    sums[:, :, *cells] = torch.from_numpy(found).movedim(-1, 0)
    return sums
