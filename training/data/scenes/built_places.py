"""Backdrops that people built: a street in a city, a room with a window."""

from training.data.scenes.layers import Band, Dots, Gradient
from training.data.scenes.lighting import (
    WHITE,
    Tone,
    darken,
    lighten,
    mix,
    multiply,
    solid,
    tone,
    turn_hue,
)
from training.data.scenes.outlines import flat, skyline
from training.data.scenes.sky import Painter, paint_sky

ROOM_SHADES = {"day": 1.0, "sunset": 0.94, "night": 0.66}
ROOM_GLOWS = {"day": "#fff6df", "sunset": "#ffb37e", "night": "#6f7fc0"}
WALLS = ("#f3dcc0", "#cfe0d4", "#d8d4ec", "#f2cfc8", "#c6dcea", "#efe3b8", "#bcd3bd", "#e6c2a6")
FLOORS = ("#b98a5e", "#a5774e", "#c9a06e", "#94694a")
FABRICS = ("#d9736b", "#6fa3c8", "#7fae8c", "#b48ac0", "#e0b050")


def paint_city(painter: Painter) -> None:
    """A street before two rows of houses."""
    paint_sky(painter, painter.horizon - 0.12)
    rng, light, y = painter.rng, painter.light, painter.horizon
    outline, _ = skyline(rng, y, 0.5, 8)
    painter.hill(outline, "#8a9cb8", 0.56, 0.0)
    outline, houses = skyline(rng, y, 0.36, 6)
    colour = rng.choice(("#6f7f9c", "#8a7486", "#7d8f8c", "#9a8272"))
    painter.hill(outline, colour, 0.24, 0.12, 0.4)
    _house_windows(painter, houses, y)
    kerb, road = light.shade("#b9bdc4"), light.shade("#6d727b")
    painter.layers += [
        Band(flat(y), solid(kerb), solid(darken(kerb, 0.1)), extent=0.06),
        Band(flat(y + 0.055), solid(darken(road, 0.1)), solid(lighten(road, 0.06)), extent=0.3),
    ]
    line, start = light.shade("#f3efe2"), rng.uniform(-0.2, 0.0)
    for step in range(5):
        left = start + 0.28 * step
        painter.box((left, y + 0.165, left + 0.15, y + 0.18), line, radius=0.005)


def _house_windows(painter: Painter, houses: list, bottom: float) -> None:
    rng, light = painter.rng, painter.light
    is_lit = light.time != "day"
    lit, dark = tone("#ffd98a"), darken(light.shade("#5c6a80", 0.1), 0.12)
    spots = []
    for left, right, top in houses:
        columns = max(1, int((right - left) / 0.055))
        for column in range(columns):
            x = left + (column + 0.5) * (right - left) / columns
            y = top + 0.045
            while y < bottom - 0.03:
                shines = is_lit and rng.random() < 0.55
                spots.append((x, y, 0.008, 0.013, *(lit if shines else dark), 1.0))
                y += 0.062
    if spots:
        painter.layers.append(Dots(spots[:128], hardness=2.5))


def paint_room(painter: Painter) -> None:
    """A room with a window, perhaps with curtains, a picture and a rug."""
    rng, y = painter.rng, painter.horizon
    wall, floor = _inside(painter, rng.choice(WALLS)), _inside(painter, rng.choice(FLOORS))
    colours = tuple(solid(lighten(wall, part)) for part in (0.0, 0.04, 0.1, 0.14))
    painter.layers.append(Gradient((0.0, 0.3, 0.5, y), colours))
    x = rng.uniform(0.22, 0.78)
    _window(painter, x)
    if rng.random() < 0.6:
        _picture(painter, x + (0.46 if x < 0.5 else -0.46))
    painter.layers.append(
        Band(flat(y), solid(darken(floor, 0.12)), solid(lighten(floor, 0.1)), extent=0.35)
    )
    joint = darken(floor, 0.22)
    for step in range(1, 4):
        edge = y + (1.0 - y) * (step / 4) ** 1.3
        painter.box((-0.1, edge - 0.003, 1.1, edge + 0.003), joint, joint, alpha=0.6)
    painter.box((-0.1, y - 0.032, 1.1, y + 0.004), lighten(wall, 0.55))
    if rng.random() < 0.75:
        rug = _inside(painter, rng.choice(FABRICS))
        middle, width = rng.uniform(0.35, 0.65), rng.uniform(0.34, 0.46)
        centre, height = (y + 1.0) / 2 + 0.02, (1.0 - y) * 0.36
        for part, colour in ((1.0, rug), (0.82, lighten(rug, 0.25)), (0.66, rug)):
            painter.ellipse((middle, centre, width * part, height * part), colour)


def _inside(painter: Painter, text: str) -> Tone:
    """Return how a colour looks in the light of the room."""
    colour = turn_hue(tone(text), painter.light.hue_turn)
    glow = tone(ROOM_GLOWS[painter.light.time])
    return multiply(mix(colour, glow, 0.1), WHITE, ROOM_SHADES[painter.light.time])


def _window(painter: Painter, x: float) -> None:
    rng, light = painter.rng, painter.light
    y, width, height = rng.uniform(0.24, 0.32), rng.uniform(0.13, 0.18), rng.uniform(0.15, 0.2)
    left, top, right, bottom = x - width, y - height, x + width, y + height
    frame, rim, bar = lighten(_inside(painter, "#f4ead8"), 0.3), 0.018, 0.007
    if light.time != "night":
        painter.layers.append(Dots([(x, y, 0.4, 0.36, *light.sky[3], 0.35)]))
    painter.box((left - rim, top - rim, right + rim, bottom + rim), frame, radius=0.01)
    painter.box((left, top, right, bottom), light.sky[1], light.sky[3])
    if light.time == "night":
        stars = [
            (x + width * rng.uniform(-0.9, 0.9), y + height * rng.uniform(-0.9, 0.4), 0.004, 0.004)
            for _ in range(8)
        ]
        painter.layers.append(Dots([(*star, 1.0, 1.0, 1.0, 0.9) for star in stars], hardness=1.7))
    hill = light.shade("#7fb866", 0.3)
    painter.box((left, y + height * 0.55, right, bottom), hill, darken(hill, 0.15))
    painter.box((x - bar, top, x + bar, bottom), frame, frame)
    painter.box((left, y - bar, right, y + bar), frame, frame)
    sill = (left - 0.04, bottom + rim - 0.004, right + 0.04, bottom + rim + 0.02)
    painter.box(sill, lighten(frame, 0.2), darken(frame, 0.04), radius=0.008)
    if rng.random() < 0.5:
        fabric = _inside(painter, rng.choice(FABRICS))
        for edge, side in ((left, -1.0), (right, 1.0)):
            for fold in range(3):
                middle = edge + side * (0.012 + 0.03 * fold)
                strip = (middle - 0.02, top - 0.035, middle + 0.02, bottom + 0.05)
                painter.box(strip, lighten(fabric, 0.12 * (fold % 2)), radius=0.012)
        painter.box((left - 0.11, top - 0.045, right + 0.11, top - 0.03), darken(fabric, 0.45))


def _picture(painter: Painter, x: float) -> None:
    """Add a framed landscape on the wall."""
    rng = painter.rng
    y, width, height = rng.uniform(0.2, 0.32), rng.uniform(0.06, 0.09), rng.uniform(0.06, 0.1)
    wood = _inside(painter, rng.choice(FLOORS))
    painter.box((x - width, y - height, x + width, y + height), lighten(wood, 0.1), radius=0.006)
    edges = (x - width + 0.014, y - height + 0.014, x + width - 0.014, y + height - 0.014)
    painter.box(edges, _inside(painter, "#bfe0ee"), _inside(painter, "#f3e3c2"))
    land = (edges[0], y + height * 0.25, edges[2], edges[3])
    painter.box(land, _inside(painter, rng.choice(("#7fae6c", "#d9b070", "#6f9fc0"))))
