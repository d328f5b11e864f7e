"""What a scene is painted from: a few kinds of layers, in numbers without pixels.

A picture is a list of layers, painted back to front. Positions and lengths are fractions of the
picture's side, x to the right and y down, so that a list can be painted at any size. Colours are
red, green, blue, alpha in [0, 1]. Every layer turns into one row of float32 numbers; rows of one
kind and length are painted together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NUM_POINTS = 257  # points of an outline, from the left border to the right one
BLOB_COUNTS = (1, 3, 8, 16, 32, 64, 128, 256)  # numbers of blobs a row may hold
FAR_AWAY = -9.0  # where unused blobs lie

Colour = tuple[float, float, float, float]
Bounds = tuple[float, float, float, float]  # left, top, right, bottom
EVERYWHERE: Bounds = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Gradient:
    """The whole picture, from one colour to the next downwards; always the first layer."""

    heights: tuple[float, ...]  # four, ascending
    colours: tuple[Colour, ...]  # four

    kind = "gradient"

    def bounds(self, pixel: float) -> Bounds:
        """Return the part of the picture that can change: all of it."""
        return EVERYWHERE

    def numbers(self) -> np.ndarray:
        """Return 4 heights, then 4 colours: (20,)."""
        return np.concatenate([self.heights, np.ravel(self.colours)]).astype(np.float32)


@dataclass(frozen=True)
class Band:
    """What lies between two outlines, such as a hill, a wave or a mist."""

    top: np.ndarray  # y of the upper outline, (NUM_POINTS,)
    near: Colour  # colour at the gradient's start
    far: Colour  # colour at its end
    bottom: np.ndarray | None = None  # y of the lower outline; None reaches down to the border
    extent: float = 0.5  # length of the gradient
    follow: float = 1.0  # 1: the gradient starts at the outline; 0: at `start`
    start: float = 0.0
    softness: float = 0.0  # width of the blurred edge

    kind = "band"

    def bounds(self, pixel: float) -> Bounds:
        """Return the part of the picture that can change; `pixel` is the length of a pixel."""
        edge = 0.5 * max(self.softness, pixel)
        top = float(self.top.min()) - edge * steepness(self.top)
        if self.bottom is None:
            return 0.0, top, 1.0, 1.0
        return 0.0, top, 1.0, float(self.bottom.max()) + edge * steepness(self.bottom)

    def numbers(self) -> np.ndarray:
        """Return settings, colours and one or two outlines: (12 + 1 or 2 * NUM_POINTS,)."""
        row = np.empty(12 + (1 if self.bottom is None else 2) * NUM_POINTS, np.float32)
        row[:4] = self.extent, self.follow, self.start, self.softness
        row[4:8], row[8:12] = self.near, self.far
        row[12 : 12 + NUM_POINTS] = self.top
        if self.bottom is not None:
            row[12 + NUM_POINTS :] = self.bottom
        return row


@dataclass(frozen=True)
class Box:
    """A rectangle with rounded corners: a window, a board, a trunk."""

    left: float
    top: float
    right: float
    bottom: float
    near: Colour  # colour at the top
    far: Colour  # colour at the bottom
    radius: float = 0.0  # of the corners
    softness: float = 0.0

    kind = "box"

    def bounds(self, pixel: float) -> Bounds:
        """Return the part of the picture that can change; `pixel` is the length of a pixel."""
        rim = self.softness
        return self.left - rim, self.top - rim, self.right + rim, self.bottom + rim

    def numbers(self) -> np.ndarray:
        """Return edges, radius, softness and colours: (14,)."""
        edges = (self.left, self.top, self.right, self.bottom, self.radius, self.softness)
        return np.array([*edges, *self.near, *self.far], np.float32)


@dataclass(frozen=True)
class Blobs:
    """Ellipses that melt into one shape: a cloud, a tree top, the sun."""

    blobs: Sequence[tuple[float, float, float, float]]  # x, y, radius in x, radius in y
    near: Colour  # colour at the top of the bounds
    far: Colour  # colour at their bottom
    softness: float = 0.0

    kind = "blobs"

    def bounds(self, pixel: float) -> Bounds:
        """Return the part of the picture that can change; `pixel` is the length of a pixel."""
        table = np.asarray(self.blobs)
        grow = 1.0 if len(table) == 1 else 1.3
        low = (table[:, :2] - grow * table[:, 2:]).min(0) - self.softness
        high = (table[:, :2] + grow * table[:, 2:]).max(0) + self.softness
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def numbers(self) -> np.ndarray:
        """Return settings, colours, then x, y, radii of the blobs: (12 + 4 * count,)."""
        count = padded_count(len(self.blobs))
        row = np.empty(12 + 4 * count, np.float32)
        table = np.asarray(self.blobs, np.float32)
        mean_radius = float(table[:, 2:].mean())
        tops, bottoms = table[:, 1] - table[:, 3], table[:, 1] + table[:, 3]
        row[:4] = mean_radius, self.softness, tops.min(), bottoms.max()
        row[4:8], row[8:12] = self.near, self.far
        columns = row[12:].reshape(4, count)
        columns[:, : len(table)] = table.T
        columns[:2, len(table) :], columns[2:, len(table) :] = FAR_AWAY, 0.01
        return row


@dataclass(frozen=True)
class Dots:
    """Soft spots with a colour each: stars, flowers, snowflakes, glows, shadows."""

    dots: Sequence[
        tuple[float, ...]
    ]  # x, y, radius in x, radius in y, then red, green, blue, alpha
    hardness: float = 1.0  # above 1 the spots get a solid core

    kind = "dots"

    def bounds(self, pixel: float) -> Bounds:
        """Return the part of the picture that can change; `pixel` is the length of a pixel."""
        table = np.asarray(self.dots)
        reach = 2.7 * table[:, 2:4]
        low, high = (table[:, :2] - reach).min(0), (table[:, :2] + reach).max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def numbers(self) -> np.ndarray:
        """Return the hardness, then 8 numbers a spot: (1 + 8 * count,)."""
        count = padded_count(len(self.dots))
        row = np.zeros(1 + 8 * count, np.float32)
        row[0] = self.hardness
        columns = row[1:].reshape(8, count)
        columns[:, : len(self.dots)] = np.asarray(self.dots, np.float32).T
        columns[:2, len(self.dots) :], columns[2:4, len(self.dots) :] = FAR_AWAY, 0.01
        return row


@dataclass(frozen=True)
class Sprite:
    """One thing: a picture of the atlas, turned, mirrored and tinted."""

    picture: int  # index in the atlas
    x: float  # of the centre
    y: float
    scale: float  # length in the picture of one sprite texture's side
    turn: float = 0.0  # radians, clockwise
    is_flipped: bool = False
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    waterline: float | None = None  # y below which the thing is seen through water
    half_width: float = 0.5  # of what is seen, as a part of `scale`, before turning
    half_height: float = 0.5

    kind = "sprite"

    def bounds(self, pixel: float) -> Bounds:
        """Return the part of the picture that can change; `pixel` is the length of a pixel."""
        cosine, sine = abs(np.cos(self.turn)), abs(np.sin(self.turn))
        width = self.scale * (self.half_width * cosine + self.half_height * sine) + 0.01
        height = self.scale * (self.half_height * cosine + self.half_width * sine) + 0.01
        return self.x - width, self.y - height, self.x + width, self.y + height

    def numbers(self) -> np.ndarray:
        """Return the map to the texture, tint and index: (10,), or with waterline (11,)."""
        zoom = 2.0 / self.scale  # texture coordinates run from -1 to 1
        cosine, sine = np.cos(self.turn) * zoom, np.sin(self.turn) * zoom
        mirror = -1.0 if self.is_flipped else 1.0
        row = (
            *(mirror * cosine, mirror * sine, -mirror * (cosine * self.x + sine * self.y)),
            *(-sine, cosine, sine * self.x - cosine * self.y),
        )
        surface = () if self.waterline is None else (self.waterline,)
        return np.array([*row, *self.tint, self.picture, *surface], np.float32)


Layer = Gradient | Band | Box | Blobs | Dots | Sprite


def steepness(outline: np.ndarray) -> float:
    """Return how much longer the steepest part of an outline is than its run."""
    rise = float(np.abs(outline[1:] - outline[:-1]).max()) * (NUM_POINTS - 1)
    return (1.0 + rise * rise) ** 0.5


def padded_count(count: int) -> int:
    """Return the smallest number of blobs a row may hold that is at least `count`."""
    return next(size for size in BLOB_COUNTS if size >= count)
