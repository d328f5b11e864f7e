"""How things move: from a resting placement and a moment to the placement at that moment."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import Placement, thing_aspect

STILL = "still"
PLAY = "play"  # what an animated thing does by itself
MARGIN = 0.02  # between a thing and the border of the picture
NUM_BOUNCES = 3
NUM_JUMPS = 2
NUM_SHAKES = 4
LANDING = 0.7  # moment at which what falls is down


@dataclass(frozen=True)
class Move:
    """What one thing does.

    Attributes:
        motion: a value of MOTIONS, STILL or PLAY.
        strength: how far or how strongly, in [0, 1].
        is_mirrored: whether it goes the other way, where there are two.
    """

    motion: str = STILL
    strength: float = 0.5
    is_mirrored: bool = False


@dataclass(frozen=True)
class _Resting:
    """A thing at rest, with half its width and height."""

    placement: Placement
    half_width: float
    half_height: float

    @property
    def stands(self) -> bool:
        return self.placement.home in ("ground", "swims")

    @property
    def room_above(self) -> float:
        return max(0.0, self.placement.y - self.half_height)

    def raised(self, up: float, **changes: float) -> Placement:
        """The thing higher up; what stands or swims leaves its shadow below."""
        lift = up if self.stands else 0.0
        return replace(self.placement, y=self.placement.y - up, lift=lift, **changes)

    def lowered(self, y: float) -> "_Resting":
        """The thing at `y` or below, where it neither stands nor swims."""
        if self.stands or self.placement.y >= y:
            return self
        return replace(self, placement=replace(self.placement, y=y))

    def resized(self, part: float) -> Placement:
        """The thing smaller; what stands keeps its foot where it is."""
        sunk = self.half_height * (1 - part) if self.stands else 0.0
        size = self.placement.size * part
        return replace(self.placement, size=size, y=self.placement.y + sunk)


Way = Callable[[_Resting, Move, float], Placement]


def placement_at(
    table: SpriteTable, style: int, placement: Placement, move: Move, time: float
) -> Placement:
    """Return where a thing is, and how it is turned and scaled, at a time in [0, 1].

    Raises:
        ValueError: if there is no such motion.
    """
    if move.motion in (STILL, PLAY):
        return placement
    way = WAYS.get(move.motion)
    if way is None:
        raise ValueError(f"a motion is one of {', '.join(MOTIONS)}, got {move.motion!r}")
    width, height = (
        length * placement.size / 2 for length in thing_aspect(table, placement.thing, style)
    )
    return way(_Resting(placement, width, height), move, time)


def _slide(resting: _Resting, move: Move, time: float) -> Placement:
    return _across(resting, 0.32 + 0.28 * move.strength, move.is_mirrored, time)


def _fly_across(resting: _Resting, move: Move, time: float) -> Placement:
    moved = _across(resting, 0.7 + 0.25 * move.strength, move.is_mirrored, time)
    up = max(0.0, moved.y - 0.42) if resting.stands else 0.0
    wave = 0.035 * math.sin(4 * math.pi * time)
    return replace(moved, y=moved.y - up - wave, lift=up + wave if resting.stands else 0.0)


def _across(resting: _Resting, distance: float, is_mirrored: bool, time: float) -> Placement:
    """From left to right, or back, through where it rests as far as the picture is wide enough."""
    low = resting.half_width + MARGIN + distance / 2
    high = 1 - resting.half_width - MARGIN - distance / 2
    middle = min(max(resting.placement.x, low), high) if low <= high else 0.5
    way = -1 if is_mirrored else 1
    return replace(resting.placement, x=middle + way * distance * (time - 0.5))


def _fly_up(resting: _Resting, move: Move, time: float) -> Placement:
    resting = resting.lowered(0.7)
    above = resting.placement.y - 0.5 * resting.half_height
    up = max(0.3, above) * (0.75 + 0.25 * move.strength) * time**1.5
    return resting.raised(up, x=resting.placement.x)


def _fall(resting: _Resting, move: Move, time: float) -> Placement:
    resting = resting.lowered(0.68)
    height = max(0.25, resting.placement.y - 0.12)
    if time < LANDING:
        return resting.raised(height * (1 - (time / LANDING) ** 2))
    after = (time - LANDING) / (1 - LANDING)
    return resting.raised((0.03 + 0.07 * move.strength) * math.sin(math.pi * after))


def _bounce(resting: _Resting, move: Move, time: float) -> Placement:
    height = min(0.16 + 0.16 * move.strength, max(0.1, resting.room_above))
    return resting.raised(height * abs(math.sin(math.pi * NUM_BOUNCES * time)))


def _jump(resting: _Resting, move: Move, time: float) -> Placement:
    height = min(0.2 + 0.2 * move.strength, max(0.14, resting.room_above))
    part = math.modf(NUM_JUMPS * time)[0] / 0.6  # then it stands for a while
    up = 4 * part * (1 - part) if part < 1 else 0.0
    lean = (-8 if move.is_mirrored else 8) * math.sin(2 * math.pi * min(part, 1.0))
    return resting.raised(height * up, turn=resting.placement.turn + lean)


def _spin(resting: _Resting, move: Move, time: float) -> Placement:
    turns = (1 + round(move.strength)) * (-1 if move.is_mirrored else 1)
    return replace(resting.placement, turn=resting.placement.turn + 360 * turns * time)


def _shake(resting: _Resting, move: Move, time: float) -> Placement:
    wave = math.sin(2 * math.pi * NUM_SHAKES * time)
    x = resting.placement.x + (0.015 + 0.015 * move.strength) * wave
    return replace(resting.placement, x=x, turn=resting.placement.turn + 8 * wave)


def _grow(resting: _Resting, move: Move, time: float) -> Placement:
    small = 0.55 - 0.2 * move.strength
    return resting.resized(small + (1 - small) * time)


def _shrink(resting: _Resting, move: Move, time: float) -> Placement:
    return _grow(resting, move, 1 - time)


WAYS: dict[str, Way] = {
    "slide": _slide,
    "fly across": _fly_across,
    "fly up": _fly_up,
    "fall": _fall,
    "bounce": _bounce,
    "jump": _jump,
    "spin": _spin,
    "shake": _shake,
    "grow": _grow,
    "shrink": _shrink,
}
MOTIONS = tuple(WAYS)
SIDEWAYS = ("slide", "fly across")  # motions that are no longer left or right of anything
RESIZING = ("grow", "shrink")


def motions_of(homes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a thing with these homes may do."""
    left_out = () if "flies" in homes else ("fly across", "fly up")
    if homes == ("sky",):
        left_out += ("bounce", "jump")
    return tuple(motion for motion in MOTIONS if motion not in left_out)
