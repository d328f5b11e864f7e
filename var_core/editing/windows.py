"""Which squares of a picture the model sees."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from var_core.editing.boxes import Place
from var_core.images import MAX_PIXELS, MAX_SIDE
from var_core.ranges import check_int

MAX_WINDOWS = 64
MAX_ASPECT = 16  # side of a window over that of the picture, beyond FREE_SIDE
FREE_SIDE = 1024  # pixels; so large a window costs little, whatever the picture


@dataclass(frozen=True)
class Window:
    """A square that may reach beyond the picture.

    Attributes:
        left: column of its first pixel.
        top: row of its first pixel.
        side: pixels.
    """

    left: int
    top: int
    side: int

    def inside(self, width: int, height: int) -> Place:
        """Rows and columns of the picture that it covers."""
        rows = slice(max(self.top, 0), min(self.top + self.side, height))
        return rows, slice(max(self.left, 0), min(self.left + self.side, width))


def window_around(mask: np.ndarray, image_size: int) -> Window:
    """The square around a mask with as much context as mask, not smaller than the model's own.

    Args:
        mask: (H, W) bool, not empty.
        image_size: side of the model's pictures.

    Raises:
        ValueError: if the mask is so long that the square would lie outside the picture, nearly
            all of it.
    """
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 1
    longest = max(MAX_ASPECT * min(height, width), FREE_SIDE)
    if box > longest:
        raise ValueError(
            f"the mask is {box} pixels long in a picture of {width}x{height} pixels; the limit is "
            f"{longest}, {MAX_ASPECT} times the shorter side or {FREE_SIDE}"
        )
    side = max(min(max(2 * box, image_size), min(height, width)), box)
    if side > 0.75 * min(height, width):  # nearly all of it: then all of it
        side = max(side, min(height, width))
    return Window(
        _place(columns[0], columns[-1], side, width), _place(rows[0], rows[-1], side, height), side
    )


def _place(first: int, last: int, side: int, length: int) -> int:
    """Where a window of a side starts, so that it is around a box and inside, if it can be."""
    start = int(first + last + 1 - side) // 2
    return min(max(start, 0), length - side) if side <= length else (length - side) // 2


@dataclass(frozen=True)
class Margins:
    """Pixels to add at each side of a picture.

    Raises:
        ValueError: on construction, if one is no whole number from 0, or all are 0.
    """

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        for name in ("left", "top", "right", "bottom"):
            object.__setattr__(self, name, check_int(name, getattr(self, name), 0, MAX_SIDE))
        if not any((self.left, self.top, self.right, self.bottom)):
            raise ValueError("nothing to add: say how many pixels at one side at least")

    def canvas(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the larger picture.

        Raises:
            ValueError: if it is too large, or needs too many windows.
        """
        wide, high = width + self.left + self.right, height + self.top + self.bottom
        if max(wide, high) > MAX_SIDE or wide * high > MAX_PIXELS:
            raise ValueError(
                f"the result would have {wide}x{high} pixels; the limits are {MAX_SIDE} a side and "
                f"{MAX_PIXELS // 1_000_000} megapixels"
            )
        if (count := len(list(self.windows(width, height)))) > MAX_WINDOWS:
            raise ValueError(
                f"this needs {count} windows of the model, the limit is {MAX_WINDOWS}: add less "
                "at once"
            )
        return wide, high

    def windows(self, width: int, height: int) -> Iterator[Window]:
        """Squares that grow the picture, each half known or more (places are on the canvas).

        Args:
            width: width of the picture in pixels.
            height: height of the picture in pixels.
        """
        side = min(width, height)
        step = max(side // 2, 1)
        left, right = self.left, self.left + width  # of what is known so far
        top, bottom = self.top, self.top + height
        while right < self.left + width + self.right:
            right = min(right + step, self.left + width + self.right)
            yield from (Window(right - side, row, side) for row in _tiles(top, bottom, side))
        while left > 0:
            left = max(left - step, 0)
            yield from (Window(left, row, side) for row in _tiles(top, bottom, side))
        while bottom < self.top + height + self.bottom:
            bottom = min(bottom + step, self.top + height + self.bottom)
            yield from (Window(column, bottom - side, side) for column in _tiles(left, right, side))
        while top > 0:
            top = max(top - step, 0)
            yield from (Window(column, top, side) for column in _tiles(left, right, side))


def _tiles(first: int, last: int, side: int) -> list[int]:
    """Starts of squares that cover a range, overlapping by half or more."""
    count = max(1, -(-(last - first - side) // max(side // 2, 1)) + 1)
    return [
        first + round(index * (last - first - side) / max(count - 1, 1)) for index in range(count)
    ]
