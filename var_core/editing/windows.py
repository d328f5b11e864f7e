"""Which windows of a picture the model sees, all in the shape of its own pictures."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

import numpy as np

from var_core.editing.boxes import Place
from var_core.images import MAX_PIXELS, MAX_SIDE
from var_core.ranges import check_int

MAX_WINDOWS = 64
MAX_ASPECT = 16  # side of a window over that of the picture, beyond FREE_SIDE
FREE_SIDE = 1024  # pixels; so large a window costs little, whatever the picture


@dataclass(frozen=True)
class Window:
    """A rectangle that may reach beyond the picture.

    Attributes:
        left: column of its first pixel.
        top: row of its first pixel.
        width: pixels.
        height: pixels.
    """

    left: int
    top: int
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def inside(self, width: int, height: int) -> Place:
        """Rows and columns of the picture that it covers."""
        rows = slice(max(self.top, 0), min(self.top + self.height, height))
        return rows, slice(max(self.left, 0), min(self.left + self.width, width))


def window_around(mask: np.ndarray, image_shape: tuple[int, int]) -> Window:
    """The window around a mask with as much context as mask, not smaller than the model's own.

    Args:
        mask: (H, W) bool, not empty.
        image_shape: height and width of the model's pictures.

    Raises:
        ValueError: if the mask is so long that the window would lie outside the picture, nearly
            all of it.
    """
    height, width = mask.shape
    spans = [np.flatnonzero(mask.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)]
    box = tuple(last - first + 1 for first, last in spans)
    longest = max(MAX_ASPECT * min(height, width), FREE_SIDE)
    if max(box) > longest:
        raise ValueError(
            f"the mask is {max(box)} pixels long in a picture of {width}x{height} pixels; the "
            f"limit is {longest}, {MAX_ASPECT} times the shorter side or {FREE_SIDE}"
        )
    # all of them as multiples of the model's pictures
    least, largest = max(_scales(box, image_shape)), min(_scales(mask.shape, image_shape))
    scale = max(min(max(2 * least, Fraction(1)), largest), least)
    if scale > Fraction(3, 4) * largest:  # nearly all of it: then all of it
        scale = max(scale, largest)
    high, wide = (math.ceil(scale * length) for length in image_shape)
    (first_row, last_row), (first_column, last_column) = spans
    top = _place(first_row, last_row, high, height)
    left = _place(first_column, last_column, wide, width)
    return Window(left, top, wide, high)


def _scales(shape: tuple[int, ...], image_shape: tuple[int, int]) -> list[Fraction]:
    """Height and width as multiples of the model's."""
    return [Fraction(length, own) for length, own in zip(shape, image_shape, strict=True)]


def _place(first: int, last: int, side: int, length: int) -> int:
    """Where a window of a side starts, so that it is around a box and inside, if it can be."""
    start = (first + last + 1 - side) // 2
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

    def canvas(self, width: int, height: int, image_shape: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the larger picture; arguments as of `windows`.

        Raises:
            ValueError: if it is too large, or needs too many windows.
        """
        wide, high = width + self.left + self.right, height + self.top + self.bottom
        if max(wide, high) > MAX_SIDE or wide * high > MAX_PIXELS:
            raise ValueError(
                f"the result would have {wide}x{high} pixels; the limits are {MAX_SIDE} a side and "
                f"{MAX_PIXELS // 1_000_000} megapixels"
            )
        first = islice(self.windows(width, height, image_shape), MAX_WINDOWS + 1)
        if sum(1 for _ in first) > MAX_WINDOWS:  # a thin picture may need millions
            raise ValueError(
                f"this needs more than {MAX_WINDOWS} windows of the model, the limit: "
                "add less at once"
            )
        return wide, high

    def windows(self, width: int, height: int, image_shape: tuple[int, int]) -> Iterator[Window]:
        """Windows that grow the picture, each half known or more (places are on the canvas).

        Args:
            width: width of the picture in pixels.
            height: height of the picture in pixels.
            image_shape: height and width of the model's pictures.
        """
        scale = min(_scales((height, width), image_shape))
        high, wide = size = [max(math.floor(scale * length), 1) for length in image_shape]
        down, across = (max(length // 2, 1) for length in size)
        left, right = self.left, self.left + width  # of what is known so far
        top, bottom = self.top, self.top + height
        while right < self.left + width + self.right:
            right = min(right + across, self.left + width + self.right)
            yield from (Window(right - wide, row, wide, high) for row in _tiles(top, bottom, high))
        while left > 0:
            left = max(left - across, 0)
            yield from (Window(left, row, wide, high) for row in _tiles(top, bottom, high))
        while bottom < self.top + height + self.bottom:
            bottom = min(bottom + down, self.top + height + self.bottom)
            row = bottom - high
            yield from (Window(column, row, wide, high) for column in _tiles(left, right, wide))
        while top > 0:
            top = max(top - down, 0)
            yield from (Window(column, top, wide, high) for column in _tiles(left, right, wide))


def _tiles(first: int, last: int, side: int) -> list[int]:
    """Starts of windows that cover a range, overlapping by half or more."""
    count = max(1, -(-(last - first - side) // max(side // 2, 1)) + 1)
    return [
        first + round(index * (last - first - side) / max(count - 1, 1)) for index in range(count)
    ]


def central_window(
    size: tuple[int, int], shape: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> Window:
    """The largest window in the middle of a picture that is as wide for its height as the model's.

    Args:
        size: width and height of the picture.
        shape: height and width of the model's pictures.
        corner: column and row of the picture's first pixel.
    """
    scale = min(size[0] / shape[1], size[1] / shape[0])
    width, height = (max(1, round(scale * length)) for length in (shape[1], shape[0]))
    left, top = corner[0] + (size[0] - width) // 2, corner[1] + (size[1] - height) // 2
    return Window(left, top, width, height)


def known_window(unknown: np.ndarray, shape: tuple[int, int]) -> Window:
    """The central window, if at least half of it is known; else one where most is known.

    Args:
        unknown: what of a picture is not known, (H, W) bool.
        shape: height and width of the model's pictures.

    Returns:
        A window as large as the central one, as near to the middle as can be.
    """
    known = ~unknown
    middle = central_window(known.shape[::-1], shape)
    if 2 * known[middle.inside(*known.shape[::-1])].sum() >= middle.width * middle.height:
        return middle
    top, left = (
        _fullest(known.sum(axis=1 - axis), side)
        for axis, side in ((0, middle.height), (1, middle.width))
    )
    return replace(middle, top=top, left=left)


def _fullest(counts: np.ndarray, side: int) -> int:
    """Start of the part of `side` entries with the largest sum that is nearest to the middle."""
    ends = np.concatenate(([0], counts.cumsum()))
    sums = ends[side:] - ends[:-side]
    starts = np.flatnonzero(sums == sums.max())
    return int(starts[np.abs(2 * starts + side - len(counts)).argmin()])
