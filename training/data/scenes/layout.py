"""Where the things of a scene stand, fly, swim or float."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import PLAIN, Placement, thing_aspect

SIZES = {1: (0.5, 0.9), 2: (0.36, 0.55), 3: (0.28, 0.4)}  # number of things -> longer side
MAX_OVERLAP = 0.1  # of the smaller one's box
NUM_TRIES = 24
MARGIN = 0.015
FLOATING = ("space", *PLAIN)  # places without ground
SUBMERGED = 0.22  # part of a thing's height that is under water


@dataclass(frozen=True)
class Box:
    """Where a thing is seen."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Return the common area as a part of the smaller box."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / min(self.area, other.area)

    @property
    def area(self) -> float:
        """Return width times height."""
        return (self.right - self.left) * (self.bottom - self.top)


def placement_box(table: SpriteTable, style: int, placement: Placement) -> Box:
    """Return the box of a placed thing, before it is turned."""
    width, height = thing_aspect(table, placement.thing, style)
    half_width, half_height = width * placement.size / 2, height * placement.size / 2
    return Box(
        placement.x - half_width,
        placement.y - half_height,
        placement.x + half_width,
        placement.y + half_height,
    )


def place_things(
    table: SpriteTable,
    things: Sequence[int],
    style: int,
    place: str,
    horizon: float,
    rng: Random,
) -> tuple[Placement, ...]:
    """Find a place for every thing so that each can be recognised; back to front.

    The arrangement with the least overlap of some tries is taken, the first without much is
    enough.
    """
    best, least = (), float("inf")
    for _ in range(NUM_TRIES):
        placements = [
            _place(table, thing, style, place, horizon, len(things), rng) for thing in things
        ]
        boxes = [placement_box(table, style, placement) for placement in placements]
        overlap = max(
            (first.overlap(second) for i, first in enumerate(boxes) for second in boxes[:i]),
            default=0.0,
        )
        if overlap < least:
            best, least = placements, overlap
        if least <= MAX_OVERLAP:
            break
    return tuple(sorted(best, key=lambda placement: _depth(table, style, placement)))


def _depth(table: SpriteTable, style: int, placement: Placement) -> float:
    lowest = placement_box(table, style, placement).bottom
    return lowest if placement.home in ("ground", "swims") else lowest - 2.0


def choose_home(homes: Sequence[str], place: str, rng: Random) -> str:
    """Choose how a thing with these homes is placed in a place."""
    if place in FLOATING:
        return "floats"
    if place == "underwater":
        return "ground" if homes == ("ground",) else "floats"
    home = rng.choice(homes)
    if place == "room" and home == "sky":
        return "flies"
    if place == "sea":
        return "swims" if home == "ground" else home
    return "ground" if home == "swims" else home


def _place(
    table: SpriteTable,
    thing: int,
    style: int,
    place: str,
    horizon: float,
    number: int,
    rng: Random,
) -> Placement:
    low, high = SIZES[number]
    size = low + (high - low) * rng.betavariate(1.6, 1.6)
    home = choose_home(table.things[thing].homes, place, rng)
    width, height = (length * size for length in thing_aspect(table, thing, style))
    left, right = width / 2 + MARGIN, 1.0 - width / 2 - MARGIN
    x = left + (right - left) * rng.random()
    highest, lowest = height / 2 + MARGIN, 1.0 - height / 2 - MARGIN
    if home in ("ground", "swims"):
        foot = rng.uniform(max(horizon + 0.1, height + MARGIN), 0.965)
        if number == 1:
            foot = max(foot, rng.uniform(0.82, 0.965))
        y = foot - height / 2
        if home == "swims":
            y = min(y + SUBMERGED * height * 0.5, lowest + SUBMERGED * height * 0.5)
    elif home == "floats":
        y = rng.uniform(highest, lowest)
        if place == "underwater":
            y = rng.uniform(highest, max(highest, min(lowest, horizon - height / 2 + 0.08)))
    else:
        part = 0.35 if home == "sky" else 0.75
        y = highest + (max(highest, min(lowest, horizon)) - highest) * part * rng.random()
    tilt = {"ground": 3.0, "swims": 4.0, "flies": 9.0, "sky": 5.0, "floats": 10.0}[home]
    is_flipped = table.things[thing].may_flip and rng.random() < 0.5
    return Placement(thing, x, y, size, home, is_flipped, rng.uniform(-tilt, tilt))
