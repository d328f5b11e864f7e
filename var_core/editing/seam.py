"""Puts what was drawn in a window into a picture, so that no seam shows.

All work is done near the mask; most of it once for all scales.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from var_core.editing.boxes import Place, boxes_apart, moved
from var_core.editing.continuation import drawn_out, relaxed, smooth_size
from var_core.editing.edited_pictures import Patch
from var_core.editing.masks import feather, grow
from var_core.editing.resizing import AreaMeans, resized_part
from var_core.editing.windows import FREE_SIDE, Window
from var_core.images import tensor_to_uint8, uint8_to_tensor

MAX_SHIFT = 0.25  # of colours in [-1, 1]


@dataclass(frozen=True)
class Ground:
    """A part of a picture that can change, before anything is drawn there.

    Attributes:
        pixels: (H, W, 3) uint8.
        source: the same, (3, H, W) in [-1, 1].
        edge: the same with the picture's edge drawn out into the hole; None without a band.
    """

    pixels: np.ndarray
    source: Tensor
    edge: Tensor | None


class SeamPart:
    """A hole and its rim, far from all other holes.

    Args:
        hole: (H, W) bool.
        box: rows and columns of the part in the window.
        band: width of the bands in pixels.
        reach: width of the ring whose colours are matched; 0 matches none.

    Attributes:
        box: rows and columns of the part in the window.
        ring: the rim whose colours are matched, (H, W) bool.
    """

    def __init__(self, hole: np.ndarray, box: Place, band: int, reach: int) -> None:
        self.box = box
        self.band = band
        self._hole = hole
        self._weight = torch.from_numpy(feather(hole, band))
        self.ring = torch.from_numpy(grow(hole, reach) & ~hole)
        self._inner = None
        if reach:
            self._inner = torch.from_numpy(np.where(hole, feather(~hole, band), 0))

    def ground(self, pixels: np.ndarray) -> Ground:
        """What `join` needs of the pixels of a window, (H, W, 3) uint8."""
        pixels = pixels[self.box]
        source = uint8_to_tensor(pixels[None])[0]
        edge = None if self._inner is None else drawn_out(source, ~self._hole, self.band)
        return Ground(pixels, source, edge)

    def join(self, ground: Ground, drawn: Tensor, shift: Tensor | None) -> np.ndarray:
        """Pixels (H, W, 3) uint8 with a drawing in the hole, both (3, H, W) in [-1, 1].

        Args:
            ground: what was there.
            drawn: the drawing of this part.
            shift: what is added to it, so that its colours match; None leaves it as it is.
        """
        hole = torch.from_numpy(self._hole)
        if shift is not None and self._inner is not None and ground.edge is not None:
            drawn = drawn + shift.clamp(-MAX_SHIFT, MAX_SHIFT)
            drawn = torch.lerp(drawn, ground.edge, self._inner)
        mixed = torch.lerp(torch.where(hole, drawn, ground.source), drawn, self._weight)
        pixels = tensor_to_uint8(mixed[None])[0]
        return np.where(self._weight.numpy()[..., None] > 0, pixels, ground.pixels)

    def shades(self) -> Image.Image:
        """How much of a drawing counts at each pixel, as a picture of mode L."""
        return Image.fromarray((self._weight.numpy() * 255).astype(np.uint8))


class Seam:
    """The border between what is kept and what is drawn in one window.

    The drawing is shifted to the colours around the hole. In a band outside of the hole it is mixed
    with the picture, in one inside with the picture's edge, drawn out into the hole.

    Args:
        mask: (H, W) bool; what lies outside the window stays as it is.
        window: place of the drawing in the picture; it holds a part of the mask.
        band: width of the bands in pixels; 0 pastes the drawing as it is.

    Attributes:
        inside: rows and columns of the picture that the window covers.
        parts: holes with their rims.
    """

    def __init__(self, mask: np.ndarray, window: Window, band: int) -> None:
        self.window = window
        rows, columns = self.inside = window.inside(*mask.shape[::-1])
        hole = mask[rows, columns]
        self._size = hole.shape
        small = smooth_size(self._size)
        reach = max(2, min(hole.shape) // 12) if band and not hole.all() else 0
        cell = max(-(-length // count) for length, count in zip(hole.shape, small, strict=True))
        margin = max(3 * (band // 2), reach + cell) + 1
        self.parts = [SeamPart(hole[box], box, band, reach) for box in boxes_apart(hole, margin)]
        self._means = self._share = None
        if reach:
            self._means = AreaMeans(self._size, small)
            rings = [(part.box, part.ring[None].float()) for part in self.parts]
            self._share = self._means.of(rings)[None]
        # a wide window over a flat picture: most of its rows are not looked at
        self._rows_first = max(window.shape) > FREE_SIDE and hole.shape[0] < window.height

    def ground(self, pixels: np.ndarray) -> list[Ground]:
        """What `join` needs of what is inside the window, (H, W, 3) uint8.

        What is under the mask has no influence.
        """
        return [part.ground(pixels) for part in self.parts]

    def join(self, grounds: list[Ground], drawn: Tensor) -> list[Patch]:
        """The parts of a picture that can change, with a drawing under the mask.

        Args:
            grounds: the picture.
            drawn: a picture of any size for the window, (3, H, W) in [-1, 1].

        Returns:
            Patches, equal to the picture outside the mask and its band.
        """
        pieces = [self._piece(drawn, part.box) for part in self.parts]
        shifts: list[Tensor | None] = [None] * len(pieces)
        if self._means is not None and self._share is not None:
            gaps = [
                (part.box, torch.where(part.ring, ground.source - piece, 0.0))
                for part, ground, piece in zip(self.parts, grounds, pieces, strict=True)
            ]
            maps = relaxed(self._means.of(gaps)[None], self._share)[0]
            shifts = [
                resized_part(maps, self._size, part.box, "bilinear", rows_first=self._rows_first)
                for part in self.parts
            ]
        together = zip(self.parts, grounds, pieces, shifts, strict=True)
        return [
            Patch(self._place(part), Image.fromarray(part.join(ground, piece, shift)))
            for part, ground, piece, shift in together
        ]

    def sketch(self, drawn: Image.Image) -> list[Patch]:
        """About what `join` returns, at little cost: without its match of colours.

        Args:
            drawn: a picture of any size for the window, RGB.
        """
        across, down = drawn.width / self.window.width, drawn.height / self.window.height
        patches = []
        for part in self.parts:
            rows, columns = self._in_window(part.box)
            size = (columns.stop - columns.start, rows.stop - rows.start)
            box = (
                across * columns.start,
                down * rows.start,
                across * columns.stop,
                down * rows.stop,
            )
            scaled = drawn.resize(size, Image.Resampling.BICUBIC, box)
            patches.append(Patch(self._place(part), scaled, part.shades()))
        return patches

    def _piece(self, drawn: Tensor, box: Place) -> Tensor:
        """What was drawn for a part of the window, as large as this is in the picture."""
        shape, place = self.window.shape, self._in_window(box)
        if drawn.shape[1:] == shape:
            return drawn[:, *place]
        return resized_part(
            drawn, shape, place, "bicubic", antialias=True, rows_first=self._rows_first
        )

    def _in_window(self, box: Place) -> Place:
        """A part of what is inside the window, counted from the window's corner."""
        rows, columns = self.inside
        return moved(box, rows.start - self.window.top, columns.start - self.window.left)

    def _place(self, part: SeamPart) -> Place:
        return moved(part.box, self.inside[0].start, self.inside[1].start)


def crop(picture: Image.Image, place: Place) -> np.ndarray:
    """A part of a picture, (H, W, 3) uint8; costs what the part costs."""
    rows, columns = place
    return np.asarray(picture.crop((columns.start, rows.start, columns.stop, rows.stop)))
