"""What a scene shows: a small description made from a seed and an index, without pixels."""

from dataclasses import dataclass
from random import Random

from training.data.scenes.atlas import SpriteTable

PLAIN = {  # plain backgrounds: name -> colour
    "white": "#f7f7f4",
    "black": "#26262b",
    "grey": "#a3a8ae",
    "red": "#d8514d",
    "orange": "#f0964b",
    "yellow": "#f5d867",
    "green": "#83c379",
    "blue": "#6fa8e3",
    "purple": "#a98bdc",
    "pink": "#f2a9c4",
}
WEATHERS = ("clear", "clouds", "rain", "snow", "fog")  # "clear" at night means stars
TIMES = ("day", "sunset", "night")
OUTDOORS = {  # place -> weathers that are sensible there
    "grass": WEATHERS,
    "meadow": ("clear", "clouds", "rain", "fog"),
    "forest": WEATHERS,
    "autumn": ("clear", "clouds", "rain", "fog"),
    "mountains": WEATHERS,
    "snow": ("clear", "clouds", "snow", "fog"),
    "desert": ("clear", "clouds"),
    "beach": ("clear", "clouds", "rain", "fog"),
    "sea": ("clear", "clouds", "rain", "fog"),
    "city": WEATHERS,
    "sky": ("clear",),
}
INDOORS = {"room": TIMES, "underwater": ("day", "night"), "space": ("",), "moon": ("",)}
PLACES = (*OUTDOORS, *INDOORS, *PLAIN)
HORIZONS = {  # place -> lowest and highest y of the horizon
    "grass": (0.52, 0.68),
    "meadow": (0.5, 0.66),
    "forest": (0.6, 0.7),
    "autumn": (0.6, 0.7),
    "mountains": (0.58, 0.7),
    "snow": (0.52, 0.68),
    "desert": (0.52, 0.66),
    "beach": (0.42, 0.54),
    "sea": (0.4, 0.56),
    "city": (0.64, 0.74),
    "sky": (0.6, 0.74),
    "room": (0.64, 0.74),
    "underwater": (0.74, 0.84),
    "space": (0.9, 0.9),
    "moon": (0.62, 0.72),
}


def all_settings() -> list[tuple[str, str, str]]:
    """Return every sensible (place, time, weather); time and weather are "" where there is none."""
    settings = [
        (place, time, weather)
        for place, weathers in OUTDOORS.items()
        for time in TIMES
        for weather in weathers
    ]
    settings += [(place, time, "") for place, times in INDOORS.items() for time in times]
    return settings + [(place, "", "") for place in PLAIN]


@dataclass(frozen=True)
class Placement:
    """One thing in a scene; positions and lengths are fractions of the picture's side."""

    thing: int  # index in the sprite table
    x: float  # of the centre
    y: float
    size: float  # of the longer side
    home: str  # how it is placed: ground, flies, swims, sky or floats
    is_flipped: bool = False
    turn: float = 0.0  # degrees, clockwise
    lift: float = 0.0  # how far it is above where it stands or swims


@dataclass(frozen=True)
class Scene:
    """One picture. Equal scenes are painted equally."""

    seed: int
    index: int
    style: int  # index in the sprite table
    place: str
    time: str  # a value of TIMES, or "" where there is none
    weather: str  # a value of WEATHERS, or "" where there is none
    horizon: float  # y where the ground begins
    backdrop_seed: int  # all chance in the backdrop
    placements: tuple[Placement, ...]  # back to front
    drift: float = 0.0  # how far clouds have gone to the right
    fallen: float = 0.0  # how far rain and snow have come down


def scene_random(seed: int, index: int, purpose: int = 0) -> Random:
    """Return the source of chance of one scene, one for each purpose.

    Raises:
        ValueError: if the seed or the index is negative or too large.
    """
    if not 0 <= seed < 2**31 or not 0 <= index < 2**48:
        raise ValueError(f"seed {seed} and index {index} must lie in [0, 2**31) and [0, 2**48)")
    return Random((seed << 56) | (index << 8) | purpose)


def thing_aspect(table: SpriteTable, thing: int, style: int) -> tuple[float, float]:
    """Return width and height of a thing when its longer side is 1."""
    width, height = table.sizes[table.picture(thing, style)]
    longer = max(width, height)
    return width / longer, height / longer
