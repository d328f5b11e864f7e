"""The painter of one scene, and what is in its sky: sun, moon, stars, clouds, rain, snow."""

import math
from random import Random

from training.data.scenes.description import Scene
from training.data.scenes.layers import Band, Blobs, Box, Dots, Gradient, Layer
from training.data.scenes.lighting import Light, Tone, darken, lighten, mix, solid, tone

BESIDE = 0.35  # how far beside the picture a cloud is no longer seen
CLOUD_SIZES = {"clear": 0.75, "clouds": 1.1, "rain": 1.4, "snow": 1.35, "fog": 1.0}


class Painter:
    """Collects the layers of one scene: `layers` behind the things, `front` before them."""

    def __init__(self, scene: Scene, has_celestial: bool) -> None:
        self.scene = scene
        self.rng = Random(scene.backdrop_seed)
        self.light = Light(self.rng, scene.time, scene.weather)
        self.horizon = scene.horizon
        self.has_celestial = has_celestial  # then the sky shows neither sun nor moon of its own
        self.layers: list[Layer] = []
        self.front: list[Layer] = []

    def hill(self, outline, colour: str, distance: float, shade: float = 0.25, extent: float = 0.3):
        """Add ground below an outline, darker downwards.

        Args:
            outline: y over x.
            colour: colour by day.
            distance: 0 near, 1 lost in the haze.
            shade: how much darker the lower end is.
            extent: height over which it grows darker.
        """
        upper = self.light.shade(colour, distance)
        self.layers.append(Band(outline, solid(upper), solid(darken(upper, shade)), extent=extent))

    def mist(self, y: float, height: float, strength: float) -> None:
        """Add a veil of haze that is thickest at `y` and fades upwards."""
        haze = self.light.haze
        self.layers.append(Box(-0.1, y - height, 1.1, y, solid(haze, 0.0), solid(haze, strength)))

    def box(
        self,
        edges: tuple[float, float, float, float],
        upper: Tone,
        lower: Tone | None = None,
        radius: float = 0.0,
        alpha: float = 1.0,
    ) -> None:
        """Add a rectangle.

        Args:
            edges: left, top, right, bottom.
            upper: colour at the top.
            lower: colour at the bottom; None is a little darker than the top.
            radius: radius of the corners.
            alpha: how much it covers.
        """
        lower = darken(upper, 0.06) if lower is None else lower
        self.layers.append(Box(*edges, solid(upper, alpha), solid(lower, alpha), radius))

    def ellipse(
        self,
        place: tuple[float, float, float, float],
        upper: Tone,
        lower: Tone | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Add an ellipse: centre x and y, radius in x and y; colours as those of a box."""
        lower = darken(upper, 0.06) if lower is None else lower
        self.layers.append(Blobs([place], solid(upper, alpha), solid(lower, alpha)))


def paint_sky(painter: Painter, horizon: float | None = None) -> None:
    """Add sky, sun or moon, stars and clouds."""
    horizon = painter.horizon if horizon is None else horizon
    heights = (0.0, 0.4 * horizon, 0.75 * horizon, 1.02 * horizon)
    colours = tuple(solid(colour) for colour in painter.light.sky)
    painter.layers.append(Gradient(heights, colours))
    weather, rng = painter.light.weather, painter.rng
    if painter.light.time == "night" and weather in ("clear", "clouds"):
        paint_stars(
            painter, rng.randint(34, 56) if weather == "clear" else rng.randint(8, 14), horizon
        )
    if weather in ("clear", "clouds") and not painter.has_celestial:
        paint_sun_or_moon(painter, horizon)
    counts = {"clear": (0, 2), "clouds": (4, 6), "rain": (5, 7), "snow": (3, 5), "fog": (0, 0)}
    low, high = counts[weather]
    if painter.light.time == "night" and weather == "clear":
        high = 0
    for _ in range(rng.randint(low, high)):
        paint_cloud(painter, horizon)


def paint_sun_or_moon(painter: Painter, horizon: float) -> None:
    """Add the sun by day and at sunset, the moon at night, each with a glow."""
    rng, time = painter.rng, painter.light.time
    x = rng.uniform(0.1, 0.9)
    if time == "sunset":
        y, radius = horizon - rng.uniform(0.0, 0.16), rng.uniform(0.055, 0.085)
        disc, glow = tone("#fff0b8"), tone("#ffd27a")
        halo = ((0.5, 0.45), (0.2, 0.55))
    elif time == "day":
        y, radius = rng.uniform(0.1, 0.26), rng.uniform(0.04, 0.06)
        disc, glow = tone("#fffbe4"), tone("#fff6cf")
        halo = ((0.34, 0.4), (0.13, 0.6))
    else:
        y, radius = rng.uniform(0.1, 0.28), rng.uniform(0.045, 0.075)
        disc, glow = tone("#f7f3dd"), tone("#a8b6ea")
        halo = ((0.3, 0.3), (0.13, 0.45))
    painter.layers.append(Dots([(x, y, size, size, *glow, alpha) for size, alpha in halo]))
    painter.layers.append(
        Blobs([(x, y, radius, radius)], solid(disc), solid(mix(disc, glow, 0.35)), softness=0.006)
    )
    if time == "night":
        spots = [(-0.35, -0.2, 0.24), (0.3, 0.25, 0.3), (0.2, -0.4, 0.16)]
        painter.layers.append(
            Dots(
                [
                    (
                        x + dx * radius,
                        y + dy * radius,
                        size * radius,
                        size * radius,
                        *darken(disc, 0.18),
                        0.6,
                    )
                    for dx, dy, size in spots
                ],
                hardness=1.3,
            )
        )


def paint_stars(painter: Painter, count: int, horizon: float) -> None:
    """Add stars, most of them small, more towards the top."""
    rng = painter.rng
    stars = []
    for _ in range(count):
        y = horizon * (1.0 - rng.random() ** 0.6) if horizon < 0.95 else rng.random()
        size = rng.choice((0.0035, 0.0035, 0.0045, 0.006))
        colour = rng.choice(((1.0, 1.0, 1.0), (0.85, 0.9, 1.0), (1.0, 0.95, 0.8)))
        stars.append((rng.random(), y, size, size, *colour, rng.uniform(0.6, 1.0)))
    painter.layers.append(Dots(stars, hardness=1.7))


def paint_cloud(painter: Painter, horizon: float) -> None:
    """Add one cloud: blobs on a level base, lit from above."""
    rng, light = painter.rng, painter.light
    x, y = rng.uniform(0.0, 1.0), horizon * rng.uniform(0.1, 0.62)
    if painter.scene.drift:  # out at one side, in again at the other
        x = (x + painter.scene.drift + BESIDE) % (1 + 2 * BESIDE) - BESIDE
    width = rng.uniform(0.11, 0.24) * CLOUD_SIZES[light.weather]
    upper, lower = cloud_colours(light)
    alpha = 0.95 if light.weather in ("clouds", "rain") else 0.85
    painter.layers.append(
        Blobs(
            cloud_blobs(rng, x, y, width),
            solid(upper, alpha),
            solid(lower, alpha * 0.9),
            softness=0.012,
        )
    )


def cloud_blobs(rng: Random, x: float, y: float, width: float) -> list[tuple]:
    """Return the blobs of one cloud whose base is centred at (x, y)."""
    blobs = [(x, y, width * 0.95, width * 0.16)]
    for index in range(5):
        place = (index - 2) / 2
        radius = width * (0.34 - 0.12 * abs(place)) * rng.uniform(0.8, 1.2)
        blobs.append(
            (x + place * width * 0.6, y - radius * rng.uniform(0.4, 0.75), radius * 1.15, radius)
        )
    return blobs


def cloud_colours(light: Light) -> tuple[Tone, Tone]:
    """Return the colours of the upper and the lower side of clouds."""
    if light.weather == "rain":
        base = {"day": "#a9b4c2", "sunset": "#9a7f90", "night": "#39425f"}[light.time]
        upper = tone(base)
        return upper, darken(upper, 0.22)
    upper = {"day": "#ffffff", "sunset": "#ffe3c4", "night": "#6473a6"}[light.time]
    lower = {"day": "#cfdfee", "sunset": "#ee9c8c", "night": "#37437a"}[light.time]
    if light.weather == "snow":
        return mix(tone(upper), light.sky[1], 0.3), mix(tone(lower), light.sky[1], 0.5)
    return tone(upper), tone(lower)


def paint_weather(painter: Painter) -> None:
    """Add what lies before everything else: rain, snow or a veil of fog."""
    paint = {"rain": _rain, "snow": _snowfall, "fog": _veil}.get(painter.light.weather)
    if paint is not None and painter.scene.weather:
        painter.front += paint(painter)


def _rain(painter: Painter) -> list[Layer]:
    rng = painter.rng
    lean, fallen = rng.choice((-1, 1)) * rng.uniform(0.1, 0.25), painter.scene.fallen
    colour = lighten(painter.light.sky[2], 0.55)
    drops = []
    for _ in range(42):
        x, y, length = rng.random(), rng.random(), rng.uniform(0.02, 0.034)
        if fallen:
            x, y = (x + lean * fallen) % 1, (y + fallen) % 1
        for step in (-1.0, 0.0, 1.0):
            place = (x + lean * step * length, y + step * length, 0.0028, length * 0.62)
            drops.append((*place, *colour, 0.42))
    return [Dots(drops, hardness=1.4)]


def _snowfall(painter: Painter) -> list[Layer]:
    rng, fallen = painter.rng, painter.scene.fallen
    colour = tone({"day": "#ffffff", "sunset": "#fff0e6", "night": "#dfe6ff"}[painter.light.time])
    flakes = []
    for _ in range(58):
        size = rng.choice((0.005, 0.007, 0.007, 0.01))
        x, y = rng.random(), rng.random()
        if fallen:  # larger flakes are nearer and fall faster
            down = fallen * size / 0.01
            x, y = (x + 0.02 * math.sin(9 * down + 6 * x)) % 1, (y + down) % 1
        flakes.append((x, y, size, size, *colour, rng.uniform(0.6, 1.0)))
    return [Dots(flakes, hardness=1.8)]


def _veil(painter: Painter) -> list[Layer]:
    haze, rng = painter.light.haze, painter.rng
    y = painter.horizon + rng.uniform(0.02, 0.08)
    strength = 0.16 if painter.light.time == "night" else 0.24
    banks = []
    for _ in range(5):
        place = (rng.random(), y + rng.uniform(-0.12, 0.06))
        banks.append((*place, rng.uniform(0.3, 0.5), rng.uniform(0.03, 0.06), *haze, strength))
    return [
        Box(-0.1, -0.1, 1.1, y, solid(haze, 0.05), solid(haze, strength)),
        Box(-0.1, y, 1.1, 1.1, solid(haze, strength), solid(haze, 0.05)),
        Dots(banks),
    ]
