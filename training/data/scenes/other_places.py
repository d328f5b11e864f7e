"""Backdrops off the land: under water, space, the moon, plain colours."""

from training.data.scenes.description import PLAIN
from training.data.scenes.layers import Band, Blobs, Dots, Gradient
from training.data.scenes.lighting import Tone, darken, lighten, mix, solid, tone, turn_hue
from training.data.scenes.outlines import peaks, ray, waves
from training.data.scenes.sky import Painter, paint_stars

WATERS = {  # colours from the surface to the depth
    "day": (
        ("#8fe3e8", "#3fb4d0", "#1c7fb4", "#12588f"),
        ("#9be8d6", "#45bfb8", "#1f8aa0", "#135f85"),
        ("#a5e0f5", "#55aee6", "#2a78c4", "#1a4f97"),
    ),
    "night": (
        ("#2a5f95", "#1a4279", "#102a5a", "#0b1b42"),
        ("#23647e", "#164a68", "#0d304f", "#091d3a"),
    ),
}
SPACES = (
    ("#0b0a26", "#15123f", "#1d1a52", "#0e0c30"),
    ("#07142b", "#0c2145", "#13294f", "#081428"),
    ("#190a2b", "#2a1145", "#31164d", "#150825"),
)
GASES = ("#6a3fb0", "#2f6fc0", "#c0458f", "#2f9fa0", "#d07040")


def paint_underwater(painter: Painter) -> None:
    """Under the sea: rays of light, rocks, weeds, a sandy ground, bubbles."""
    rng, y = painter.rng, painter.horizon
    is_day = painter.light.time == "day"
    turn = painter.light.hue_turn
    colours = [turn_hue(tone(text), turn) for text in rng.choice(WATERS[painter.light.time])]
    painter.layers.append(
        Gradient((0.0, 0.25, 0.6, 1.0), tuple(solid(colour) for colour in colours))
    )
    shine = lighten(colours[0], 0.4)
    _rays(painter, shine, 0.26 if is_day else 0.12)
    rock = mix(colours[2], colours[3], 0.4)
    rocks = peaks(rng, y + 0.03, 0.16, 5, 0.1)
    painter.layers.append(Band(rocks, solid(rock, 0.7), solid(rock, 0.9), softness=0.01))
    _weeds(painter, mix(tone("#2f9f7a"), colours[2], 0.35 if is_day else 0.7))
    sand = mix(tone("#f0dcae"), colours[1], 0.34 if is_day else 0.72)
    for drop, part in ((0.0, 0.22), (0.08, 0.0)):
        colour = mix(sand, colours[2], part)
        ground = waves(rng, y + drop, 0.025, 0.5, 1.8)
        painter.layers.append(Band(ground, solid(colour), solid(darken(colour, 0.22)), extent=0.2))
    _bubbles(painter, lighten(shine, 0.4))


def _rays(painter: Painter, colour: Tone, strength: float) -> None:
    rng = painter.rng
    for _ in range(rng.randint(3, 5)):
        x, lean, width = rng.uniform(-0.2, 0.9), rng.uniform(0.2, 0.45), rng.uniform(0.05, 0.13)
        top, bottom = ray(x, lean, width, -0.02, rng.uniform(0.7, 1.0))
        near, far = solid(colour, strength), solid(colour, 0.0)
        painter.layers.append(Band(top, near, far, bottom, 0.85, follow=0.0, softness=0.03))


def _weeds(painter: Painter, colour: Tone) -> None:
    """Add a few tufts of water weed: leaning, tapering stalks."""
    rng, y = painter.rng, painter.horizon
    stalks = []
    for _ in range(rng.randint(2, 4)):
        x, height = rng.uniform(0.03, 0.97), rng.uniform(0.1, 0.2)
        for stalk in (-1, 0, 1):
            lean, tall = 0.014 * stalk + rng.uniform(-0.008, 0.008), height * rng.uniform(0.7, 1.0)
            for part in range(4):
                place = (x + lean * (1 + 1.6 * part), y + 0.02 - tall * part / 4)
                stalks.append((*place, 0.011 - 0.0016 * part, tall * 0.2))
    painter.layers.append(Blobs(stalks, solid(lighten(colour, 0.2)), solid(colour)))


def _bubbles(painter: Painter, colour: Tone) -> None:
    rng, bubbles = painter.rng, []
    for _ in range(4):
        x, base = rng.uniform(0.05, 0.95), rng.uniform(0.3, 0.9)
        for step in range(4):
            size = rng.uniform(0.006, 0.014)
            place = (x + rng.uniform(-0.02, 0.02), base - 0.06 * step, size, size)
            bubbles.append((*place, *colour, 0.6))
    painter.layers.append(Dots(bubbles, hardness=1.6))


def paint_space(painter: Painter) -> None:
    """Stars, coloured clouds of gas, perhaps the edge of a planet."""
    rng = painter.rng
    palette = rng.choice(SPACES)
    painter.layers.append(
        Gradient((0.0, 0.35, 0.7, 1.0), tuple(solid(tone(text)) for text in palette))
    )
    gases, clouds = rng.sample(GASES, 2), []
    for _ in range(7):
        size = rng.uniform(0.14, 0.3)
        place = (rng.random(), rng.random(), size, size * rng.uniform(0.5, 1.0))
        clouds.append((*place, *tone(rng.choice(gases)), rng.uniform(0.2, 0.42)))
    painter.layers.append(Dots(clouds))
    paint_stars(painter, rng.randint(60, 90), 1.0)
    if rng.random() < 0.6:
        x = rng.choice((-0.05, 1.05))
        y = rng.choice((rng.uniform(0.0, 0.25), rng.uniform(0.85, 1.1)))
        radius = rng.uniform(0.2, 0.34)
        colour = turn_hue(tone("#c77a5a"), rng.random(), 0.8)
        glow = (x, y, radius * 1.25, radius * 1.25, *lighten(colour, 0.2), 0.5)
        painter.layers.append(Dots([glow]))
        painter.ellipse((x, y, radius, radius), lighten(colour, 0.25), darken(colour, 0.5))


def paint_moon(painter: Painter) -> None:
    """The grey ground of the moon below a black sky."""
    rng, y = painter.rng, painter.horizon
    colours = (tone("#070712"), tone("#0b0c1c"), tone("#10122a"), tone("#191c38"))
    painter.layers.append(Gradient((0.0, 0.25, 0.5, y), tuple(solid(colour) for colour in colours)))
    paint_stars(painter, rng.randint(45, 70), y)
    warmth = mix(tone("#c9c9d2"), tone("#d6cdbf"), rng.random())
    for drop, height, part in ((-0.06, 0.05, 0.42), (0.0, 0.03, 0.14), (0.17, 0.04, 0.0)):
        colour = mix(warmth, colours[2], part)
        ground = waves(rng, y + drop, height, 0.6, 2.0)
        painter.layers.append(Band(ground, solid(colour), solid(darken(colour, 0.25)), extent=0.3))
    rim, floor = lighten(warmth, 0.12), darken(warmth, 0.24)
    for _ in range(rng.randint(3, 6)):
        depth = rng.random()
        x, centre, width = rng.random(), y + 0.07 + (0.9 - y) * depth, 0.04 + 0.07 * depth
        painter.ellipse((x, centre + 0.006, width, width * 0.32), rim, rim)
        inner = (x, centre, width * 0.92, width * 0.27)
        painter.ellipse(inner, floor, mix(floor, warmth, 0.6))


def paint_plain(painter: Painter) -> None:
    """One colour, a little lighter in the middle."""
    rng = painter.rng
    turn, strength = rng.uniform(-0.012, 0.012), rng.uniform(0.92, 1.06)
    colour = turn_hue(tone(PLAIN[painter.scene.place]), turn, strength)
    upper, lower = lighten(colour, rng.uniform(0.04, 0.14)), darken(colour, rng.uniform(0.0, 0.08))
    colours = tuple(solid(mix(upper, lower, part)) for part in (0.0, 0.3, 0.7, 1.0))
    painter.layers.append(Gradient((0.0, 0.35, 0.65, 1.0), colours))
    glow = (rng.uniform(0.3, 0.7), 0.45, 0.5, 0.45, *lighten(colour, 0.3), 0.3)
    painter.layers.append(Dots([glow]))
