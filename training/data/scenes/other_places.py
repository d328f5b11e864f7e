"""Backdrops that are not landscapes: city, room, under water, space, the moon, plain colours."""

from training.data.scenes.description import PLAIN
from training.data.scenes.layers import Band, Blobs, Box, Dots, Gradient
from training.data.scenes.lighting import darken, lighten, mix, solid, tone, turn_hue
from training.data.scenes.outlines import flat, peaks, ray, skyline, waves
from training.data.scenes.sky import Painter, paint_sky, paint_stars


def paint_city(painter: Painter) -> None:
    """A street before two rows of houses."""
    paint_sky(painter, painter.horizon - 0.12)
    rng, light, y = painter.rng, painter.light, painter.horizon
    outline, _ = skyline(rng, y, 0.5, 8)
    painter.hill(outline, "#8a9cb8", 0.56, 0.0)
    outline, houses = skyline(rng, y, 0.36, 6)
    colour = rng.choice(("#6f7f9c", "#8a7486", "#7d8f8c", "#9a8272"))
    painter.hill(outline, colour, 0.24, 0.12, 0.4)
    _windows(painter, houses, y)
    kerb, road = light.shade("#b9bdc4"), light.shade("#6d727b")
    painter.layers.append(Band(flat(y), solid(kerb), solid(darken(kerb, 0.1)), extent=0.06))
    painter.layers.append(
        Band(flat(y + 0.055), solid(darken(road, 0.1)), solid(lighten(road, 0.06)), extent=0.3)
    )
    line, start = light.shade("#f3efe2"), rng.uniform(-0.2, 0.0)
    for step in range(5):
        left = start + 0.28 * step
        painter.layers.append(
            Box(left, y + 0.165, left + 0.15, y + 0.18, solid(line), solid(line), radius=0.005)
        )


def _windows(painter: Painter, houses: list, bottom: float) -> None:
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
    """A room with a window."""
    rng, y = painter.rng, painter.horizon
    shade = {"day": 1.0, "sunset": 0.94, "night": 0.66}[painter.light.time]
    glow = {"day": "#fff6df", "sunset": "#ffb37e", "night": "#6f7fc0"}[painter.light.time]

    def inside(text: str):
        colour = turn_hue(tone(text), painter.light.hue_turn)
        return tuple(part * shade for part in mix(colour, tone(glow), 0.1))

    wall = inside(rng.choice(("#f3dcc0", "#cfe0d4", "#d8d4ec", "#f2cfc8", "#c6dcea", "#efe3b8")))
    floor = inside(rng.choice(("#b98a5e", "#a5774e", "#c9a06e", "#94694a")))
    colours = tuple(solid(lighten(wall, part)) for part in (0.0, 0.04, 0.1, 0.14))
    painter.layers.append(Gradient((0.0, 0.3, 0.5, y), colours))
    _window(painter, inside)
    painter.layers.append(
        Band(flat(y), solid(darken(floor, 0.12)), solid(lighten(floor, 0.1)), extent=0.35)
    )
    for step in range(1, 4):
        edge = y + (1.0 - y) * (step / 4) ** 1.3
        painter.layers.append(
            Box(
                -0.1,
                edge - 0.003,
                1.1,
                edge + 0.003,
                solid(darken(floor, 0.22), 0.6),
                solid(darken(floor, 0.22), 0.6),
            )
        )
    board = lighten(wall, 0.55)
    painter.layers.append(
        Box(-0.1, y - 0.032, 1.1, y + 0.004, solid(board), solid(darken(board, 0.08)))
    )
    if rng.random() < 0.75:
        rug = inside(rng.choice(("#d9736b", "#6fa3c8", "#7fae8c", "#b48ac0", "#e0b050")))
        x, width = rng.uniform(0.35, 0.65), rng.uniform(0.34, 0.46)
        centre = (y + 1.0) / 2 + 0.02
        for part, colour in ((1.0, rug), (0.82, lighten(rug, 0.25)), (0.66, rug)):
            painter.layers.append(
                Blobs(
                    [(x, centre, width * part, (1.0 - y) * 0.36 * part)],
                    solid(colour),
                    solid(darken(colour, 0.06)),
                )
            )


def _window(painter: Painter, inside) -> None:
    rng, light = painter.rng, painter.light
    x, width, height = rng.uniform(0.22, 0.78), rng.uniform(0.13, 0.18), rng.uniform(0.15, 0.2)
    y = rng.uniform(0.24, 0.32)
    frame = lighten(inside("#f4ead8"), 0.3)
    if light.time != "night":
        painter.layers.append(Dots([(x, y, 0.4, 0.36, *light.sky[3], 0.35)]))
    rim = 0.018
    painter.layers.append(
        Box(
            x - width - rim,
            y - height - rim,
            x + width + rim,
            y + height + rim,
            solid(frame),
            solid(darken(frame, 0.1)),
            radius=0.01,
        )
    )
    painter.layers.append(
        Box(x - width, y - height, x + width, y + height, solid(light.sky[1]), solid(light.sky[3]))
    )
    hill = light.shade("#7fb866", 0.3)
    painter.layers.append(
        Box(
            x - width,
            y + height * 0.55,
            x + width,
            y + height,
            solid(hill),
            solid(darken(hill, 0.15)),
        )
    )
    if light.time == "night":
        stars = [
            (
                x + width * rng.uniform(-0.9, 0.9),
                y + height * rng.uniform(-0.9, 0.4),
                0.004,
                0.004,
                1.0,
                1.0,
                1.0,
                0.9,
            )
            for _ in range(8)
        ]
        painter.layers.append(Dots(stars, hardness=1.7))
    bar = 0.007
    painter.layers.append(Box(x - bar, y - height, x + bar, y + height, solid(frame), solid(frame)))
    painter.layers.append(Box(x - width, y - bar, x + width, y + bar, solid(frame), solid(frame)))
    sill = darken(frame, 0.04)
    painter.layers.append(
        Box(
            x - width - 0.04,
            y + height + rim - 0.004,
            x + width + 0.04,
            y + height + rim + 0.02,
            solid(lighten(sill, 0.3)),
            solid(sill),
            radius=0.008,
        )
    )


def paint_underwater(painter: Painter) -> None:
    """Under the sea: rays of light, a sandy ground, bubbles."""
    rng, y = painter.rng, painter.horizon
    is_day = painter.light.time == "day"
    palette = rng.choice(
        (("#8fe3e8", "#3fb4d0", "#1c7fb4", "#12588f"), ("#9be8d6", "#45bfb8", "#1f8aa0", "#135f85"))
        if is_day
        else (
            ("#2a5f95", "#1a4279", "#102a5a", "#0b1b42"),
            ("#23647e", "#164a68", "#0d304f", "#091d3a"),
        )
    )
    colours = [turn_hue(tone(text), painter.light.hue_turn) for text in palette]
    painter.layers.append(
        Gradient((0.0, 0.25, 0.6, 1.0), tuple(solid(colour) for colour in colours))
    )
    shine = lighten(colours[0], 0.4)
    for _ in range(rng.randint(3, 5)):
        x, lean, width = rng.uniform(-0.2, 0.9), rng.uniform(0.2, 0.45), rng.uniform(0.05, 0.13)
        top, bottom = ray(x, lean, width, -0.02, rng.uniform(0.7, 1.0))
        strength = 0.26 if is_day else 0.12
        painter.layers.append(
            Band(
                top,
                solid(shine, strength),
                solid(shine, 0.0),
                bottom=bottom,
                extent=0.85,
                follow=0.0,
                softness=0.03,
            )
        )
    rock = mix(colours[2], colours[3], 0.4)
    painter.layers.append(
        Band(peaks(rng, y + 0.03, 0.16, 5, 0.1), solid(rock, 0.7), solid(rock, 0.9), softness=0.01)
    )
    sand = mix(tone("#f0dcae"), colours[1], 0.34 if is_day else 0.72)
    for drop, part in ((0.0, 0.22), (0.08, 0.0)):
        colour = mix(sand, colours[2], part)
        painter.layers.append(
            Band(
                waves(rng, y + drop, 0.025, 0.5, 1.8),
                solid(colour),
                solid(darken(colour, 0.22)),
                extent=0.2,
            )
        )
    bubbles = []
    for _ in range(4):
        x, base = rng.uniform(0.05, 0.95), rng.uniform(0.3, 0.9)
        for step in range(4):
            size = rng.uniform(0.006, 0.014)
            bubbles.append(
                (
                    x + rng.uniform(-0.02, 0.02),
                    base - 0.06 * step,
                    size,
                    size,
                    *lighten(shine, 0.4),
                    0.6,
                )
            )
    painter.layers.append(Dots(bubbles, hardness=1.6))


def paint_space(painter: Painter) -> None:
    """Stars, coloured clouds of gas, perhaps the edge of a planet."""
    rng = painter.rng
    palette = rng.choice(
        (
            ("#0b0a26", "#15123f", "#1d1a52", "#0e0c30"),
            ("#07142b", "#0c2145", "#13294f", "#081428"),
            ("#190a2b", "#2a1145", "#31164d", "#150825"),
        )
    )
    painter.layers.append(
        Gradient((0.0, 0.35, 0.7, 1.0), tuple(solid(tone(text)) for text in palette))
    )
    gas = rng.sample(("#6a3fb0", "#2f6fc0", "#c0458f", "#2f9fa0", "#d07040"), 2)
    clouds = []
    for _ in range(7):
        size = rng.uniform(0.14, 0.3)
        clouds.append(
            (
                rng.random(),
                rng.random(),
                size,
                size * rng.uniform(0.5, 1.0),
                *tone(rng.choice(gas)),
                rng.uniform(0.2, 0.42),
            )
        )
    painter.layers.append(Dots(clouds))
    paint_stars(painter, rng.randint(60, 90), 1.0)
    if rng.random() < 0.6:
        x, y = (
            rng.choice((-0.05, 1.05)),
            rng.choice((rng.uniform(0.0, 0.25), rng.uniform(0.85, 1.1))),
        )
        radius = rng.uniform(0.2, 0.34)
        colour = turn_hue(tone("#c77a5a"), rng.random(), 0.8)
        painter.layers.append(
            Dots([(x, y, radius * 1.25, radius * 1.25, *lighten(colour, 0.2), 0.5)])
        )
        painter.layers.append(
            Blobs(
                [(x, y, radius, radius)], solid(lighten(colour, 0.25)), solid(darken(colour, 0.5))
            )
        )


def paint_moon(painter: Painter) -> None:
    """The grey ground of the moon below a black sky."""
    rng, y = painter.rng, painter.horizon
    colours = (tone("#070712"), tone("#0b0c1c"), tone("#10122a"), tone("#191c38"))
    painter.layers.append(Gradient((0.0, 0.25, 0.5, y), tuple(solid(colour) for colour in colours)))
    paint_stars(painter, rng.randint(45, 70), y)
    warmth = mix(tone("#c9c9d2"), tone("#d6cdbf"), rng.random())
    for drop, height, part in ((-0.06, 0.05, 0.42), (0.0, 0.03, 0.14), (0.17, 0.04, 0.0)):
        colour = mix(warmth, colours[2], part)
        painter.layers.append(
            Band(
                waves(rng, y + drop, height, 0.6, 2.0),
                solid(colour),
                solid(darken(colour, 0.25)),
                extent=0.3,
            )
        )
    for _ in range(rng.randint(3, 6)):
        depth = rng.random()
        x, centre, width = rng.random(), y + 0.07 + (0.9 - y) * depth, 0.04 + 0.07 * depth
        rim, floor = lighten(warmth, 0.12), darken(warmth, 0.24)
        painter.layers.append(
            Blobs([(x, centre + 0.006, width, width * 0.32)], solid(rim), solid(rim))
        )
        painter.layers.append(
            Blobs(
                [(x, centre, width * 0.92, width * 0.27)],
                solid(floor),
                solid(mix(floor, warmth, 0.6)),
            )
        )


def paint_plain(painter: Painter) -> None:
    """One colour, a little lighter in the middle."""
    rng = painter.rng
    colour = turn_hue(
        tone(PLAIN[painter.scene.place]), rng.uniform(-0.012, 0.012), rng.uniform(0.92, 1.06)
    )
    upper, lower = lighten(colour, rng.uniform(0.04, 0.14)), darken(colour, rng.uniform(0.0, 0.08))
    painter.layers.append(
        Gradient(
            (0.0, 0.35, 0.65, 1.0),
            (
                solid(upper),
                solid(mix(upper, lower, 0.3)),
                solid(mix(upper, lower, 0.7)),
                solid(lower),
            ),
        )
    )
    painter.layers.append(
        Dots([(rng.uniform(0.3, 0.7), 0.45, 0.5, 0.45, *lighten(colour, 0.3), 0.3)])
    )
