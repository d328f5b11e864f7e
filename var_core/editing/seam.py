"""Puts what was drawn in a window into a picture, so that no seam shows.

All work is done in the window; most of it in the part that can change, and once for all scales.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from var_core.editing.continuation import continued, drawn_out
from var_core.editing.masks import box_around, feather, grow
from var_core.editing.windows import Window
from var_core.images import tensor_to_uint8, uint8_to_tensor

MAX_SHIFT = 0.25  # of colours in [-1, 1]
Place = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True)
class Ground:
    """A picture in a window, before anything is drawn there.

    Attributes:
        pixels: the part that can change, (H, W, 3) uint8.
        source: the whole window, (3, H, W) in [-1, 1].
        edge: the part that can change, with the picture's edge drawn out into the hole, (3, H, W);
            None without a band.
    """

    pixels: np.ndarray
    source: Tensor
    edge: Tensor | None


class Seam:
    """The border between what is kept and what is drawn in one window.

    The drawing is shifted to the colours around the hole. In a band outside of the hole it is mixed
    with the picture, in one inside with the picture's edge, drawn out into the hole.

    Args:
        mask: (H, W) bool; what lies outside the window stays as it is.
        window: place of the drawing in the picture; it holds a part of the mask.
        band: width of the bands in pixels; 0 pastes the drawing as it is.

    Attributes:
        place: the part of the picture that can change: the mask and its band, in the window.
    """

    def __init__(self, mask: np.ndarray, window: Window, band: int) -> None:
        self.window = window
        self.band = band
        rows, columns = self._inside = window.inside(*mask.shape[::-1])
        hole = mask[rows, columns]
        self._core = core = box_around(hole, 3 * (band // 2) + 1)
        self.place = (_moved(core[0], rows.start), _moved(core[1], columns.start))
        self._hole = hole[core]
        self._weight = torch.from_numpy(feather(self._hole, band))
        self._ring = self._inner = None
        if band and not hole.all():
            self._ring = grow(hole, max(2, min(hole.shape) // 12)) & ~hole
            inner = np.where(self._hole, feather(~self._hole, band), 0)
            self._inner = torch.from_numpy(inner)

    def ground(self, picture: Image.Image) -> Ground:
        """What `join` needs of a picture; what is under the mask has no influence."""
        pixels = crop(picture, self._inside)
        source = uint8_to_tensor(pixels[None])[0]
        core = (slice(None), *self._core)
        known = ~self._hole
        edge = None if self._inner is None else drawn_out(source[core], known, self.band)
        return Ground(pixels[self._core], source, edge)

    def join(self, ground: Ground, drawn: Tensor) -> np.ndarray:
        """The part of a picture that can change, with a drawing under the mask.

        Args:
            ground: the picture.
            drawn: a picture of any size for the window, (3, H, W) in [-1, 1].

        Returns:
            (H, W, 3) uint8 for `place`; equal to the picture outside the mask and its band.
        """
        window, (rows, columns) = self.window, self._inside
        if drawn.shape[-2:] != window.shape:
            drawn = F.interpolate(drawn[None], window.shape, mode="bicubic", antialias=True)[0]
        inside = (_moved(rows, -window.top), _moved(columns, -window.left))
        drawn, core = drawn[:, *inside], (slice(None), *self._core)
        source, hole = ground.source[core], torch.from_numpy(self._hole)
        if self._ring is not None and self._inner is not None and ground.edge is not None:
            shift = continued(ground.source - drawn, self._ring)[core]
            drawn = drawn[core] + shift.clamp(-MAX_SHIFT, MAX_SHIFT)
            drawn = torch.lerp(drawn, ground.edge, self._inner)
        else:
            drawn = drawn[core]
        mixed = torch.lerp(torch.where(hole, drawn, source), drawn, self._weight)
        pixels = tensor_to_uint8(mixed[None])[0]
        return np.where(self._weight.numpy()[..., None] > 0, pixels, ground.pixels)


def crop(picture: Image.Image, place: Place) -> np.ndarray:
    """A part of a picture, (H, W, 3) uint8; costs what the part costs."""
    rows, columns = place
    return np.asarray(picture.crop((columns.start, rows.start, columns.stop, rows.stop)))


def _moved(part: slice, pixels: int) -> slice:
    return slice(part.start + pixels, part.stop + pixels)
