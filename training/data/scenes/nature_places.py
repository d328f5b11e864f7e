"""Backdrops in the open: hills, meadows, woods, mountains, snow, deserts, coasts, clouds."""

import numpy as np

from training.data.scenes.layers import Band, Blobs, Box, Dots
from training.data.scenes.lighting import darken, lighten, mix, solid
from training.data.scenes.outlines import X, firs, flat, peaks, waves
from training.data.scenes.sky import Painter, cloud_blobs, cloud_colours, paint_sky


def paint_grass(painter: Painter) -> None:
    """Green hills in three depths."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    painter.hill(waves(rng, y - 0.09, 0.07, 0.6, 2.2), "#7fb0a0", 0.62)
    painter.hill(waves(rng, y - 0.03, 0.05, 0.5, 1.8), "#7dbb6c", 0.34)
    if rng.random() < 0.5:
        _bushes(painter, y, "#5f9f52", 0.2)
    painter.hill(waves(rng, y + 0.02, 0.03, 0.4, 1.4), "#86c750", 0.04, 0.34, 0.42)
    painter.hill(waves(rng, y + 0.2, 0.05, 0.4, 1.2), "#74b843", 0.0, 0.3, 0.3)


def paint_meadow(painter: Painter) -> None:
    """A meadow full of flowers."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    painter.hill(waves(rng, y - 0.06, 0.06, 0.6, 2.0), "#8fbfa6", 0.55)
    painter.hill(waves(rng, y - 0.015, 0.04, 0.5, 1.6), "#93c565", 0.28)
    painter.hill(waves(rng, y + 0.02, 0.02, 0.4, 1.2), "#8bcb57", 0.03, 0.28, 0.45)
    kinds = rng.sample(
        ("#ffffff", "#ffd94a", "#f27ba5", "#e8554e", "#b58cf0", "#ff9d45", "#7fa8ff"), 3
    )
    heart = painter.light.shade("#f7c93c")
    petals, hearts = [], []
    for _ in range(52):
        depth = rng.random() ** 1.4
        x, middle, size = rng.random(), y + 0.07 + (0.94 - y) * depth, 0.006 + 0.013 * depth
        colour = painter.light.shade(rng.choice(kinds))
        petals.append((x, middle, size, size * 0.9, *colour, 1.0))
        hearts.append((x, middle - size * 0.1, size * 0.4, size * 0.36, *heart, 0.9))
    painter.layers += [Dots(petals, hardness=2.6), Dots(hearts, hardness=1.5)]


def _bushes(painter: Painter, y: float, colour: str, distance: float) -> None:
    rng = painter.rng
    blobs = []
    for _ in range(rng.randint(2, 4)):
        x, radius = rng.random(), rng.uniform(0.03, 0.055)
        for step in (-1, 0, 1):
            size = radius * (1.0 if step == 0 else 0.75)
            blobs.append((x + step * radius * 1.1, y + 0.02 - size * 0.5, size, size))
    upper = painter.light.shade(colour, distance)
    painter.layers.append(Blobs(blobs, solid(lighten(upper, 0.12)), solid(darken(upper, 0.2))))


def paint_forest(painter: Painter) -> None:
    """The edge of a fir forest, with mist between the rows."""
    paint_sky(painter, painter.horizon - 0.1)
    rng, y = painter.rng, painter.horizon
    rows = (
        (0.15, 0.3, 13, "#5f9a86", 0.6),
        (0.08, 0.34, 10, "#3f7d5c", 0.34),
        (0.02, 0.3, 9, "#2f6b45", 0.1),
    )
    for lift, height, count, colour, distance in rows:
        ground = waves(rng, y - lift, 0.03, 0.5, 1.6)
        painter.hill(firs(rng, ground, count, height), colour, distance, 0.3, 0.4)
        painter.mist(y + 0.03, 0.22, 0.28 if distance > 0.2 else 0.12)
    painter.hill(waves(rng, y + 0.03, 0.02, 0.4, 1.2), "#6fae4a", 0.03, 0.38, 0.42)
    painter.hill(waves(rng, y + 0.22, 0.04, 0.4, 1.2), "#5f9d3f", 0.0, 0.3, 0.3)


def paint_autumn(painter: Painter) -> None:
    """A park in autumn: round trees in red and gold, leaves on the ground."""
    paint_sky(painter, painter.horizon - 0.08)
    rng, y = painter.rng, painter.horizon
    painter.hill(waves(rng, y - 0.1, 0.05, 0.6, 2.0), "#d9a35f", 0.55)
    for lift, size, distance in ((0.05, 0.09, 0.32), (0.0, 0.12, 0.08)):
        for _ in range(4):
            _round_tree(painter, y + 0.02 - lift, size, distance)
    painter.hill(waves(rng, y + 0.02, 0.02, 0.4, 1.3), "#cf9a4e", 0.03, 0.34, 0.42)
    kinds = ("#d9542b", "#f0a22e", "#b5502f", "#f3c64a")
    leaves = []
    for _ in range(48):
        depth = rng.random() ** 1.4
        size = 0.005 + 0.009 * depth
        colour = painter.light.shade(rng.choice(kinds))
        leaves.append(
            (rng.random(), y + 0.07 + (0.95 - y) * depth, size * 1.3, size * 0.7, *colour, 0.95)
        )
    painter.layers.append(Dots(leaves, hardness=2.0))


def _round_tree(painter: Painter, foot: float, size: float, distance: float) -> None:
    rng, light = painter.rng, painter.light
    x, size = rng.random(), size * rng.uniform(0.8, 1.2)
    trunk = light.shade("#7a5236", distance)
    painter.layers.append(
        Box(
            x - size * 0.11,
            foot - size * 1.3,
            x + size * 0.11,
            foot + 0.02,
            solid(trunk),
            solid(darken(trunk, 0.2)),
        )
    )
    crown = light.shade(
        rng.choice(("#e2762e", "#d9542b", "#eba636", "#c9472f", "#e8b545")), distance
    )
    blobs = [
        (x + dx * size, foot - size * (1.75 + dy), size * radius, size * radius)
        for dx, dy, radius in (
            (0, 0.3, 0.72),
            (-0.5, -0.1, 0.55),
            (0.5, -0.1, 0.55),
            (0, -0.25, 0.6),
        )
    ]
    painter.layers.append(Blobs(blobs, solid(lighten(crown, 0.18)), solid(darken(crown, 0.22))))


def paint_mountains(painter: Painter) -> None:
    """Mountain ranges with snow on the nearest peaks, and a green valley."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    painter.hill(peaks(rng, y, 0.3, 4), "#8fa6c6", 0.66, 0.1)
    ridge = peaks(rng, y + 0.02, rng.uniform(0.38, 0.46), 3)
    painter.hill(ridge, "#6c7c96", 0.26, 0.3, 0.4)
    saw = np.abs(((X * rng.uniform(11, 15) + rng.random()) % 1.0) - 0.5).astype(np.float32)
    depth = 0.05 + 0.09 * saw
    limit = float(ridge.min()) + 0.1
    snow = np.minimum(ridge + depth, limit + 0.12 * saw + 0.02)
    white = painter.light.shade("#f8fbff", 0.08)
    shade = painter.light.shade("#c6d6ec", 0.12)
    painter.layers.append(Band(ridge, solid(white), solid(shade), bottom=snow, extent=0.16))
    painter.mist(y + 0.04, 0.2, 0.4)
    painter.hill(waves(rng, y - 0.01, 0.03, 0.7, 2.2), "#5d8f62", 0.24)
    painter.hill(waves(rng, y + 0.04, 0.03, 0.5, 1.5), "#7cb455", 0.04, 0.34, 0.4)


def paint_snow(painter: Painter) -> None:
    """Snowy hills with a row of firs."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    painter.hill(waves(rng, y - 0.1, 0.08, 0.6, 2.2), "#c9dcf0", 0.5, 0.1)
    ground = waves(rng, y - 0.02, 0.04, 0.5, 1.7)
    painter.hill(
        firs(rng, ground, rng.randint(9, 14), rng.uniform(0.09, 0.16)), "#5f8f96", 0.34, 0.2
    )
    painter.hill(ground, "#e3eefa", 0.2, 0.12)
    painter.hill(waves(rng, y + 0.03, 0.03, 0.4, 1.4), "#f6faff", 0.03, 0.14, 0.4)
    painter.hill(waves(rng, y + 0.2, 0.05, 0.4, 1.2), "#fbfdff", 0.0, 0.14, 0.3)


def paint_desert(painter: Painter) -> None:
    """Dunes with a lit and a shaded side."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    rows = ((-0.07, 0.06, 0.5), (-0.01, 0.06, 0.28), (0.06, 0.05, 0.08), (0.24, 0.06, 0.0))
    for drop, height, distance in rows:
        ridge = waves(rng, y + drop, height, 0.5, 1.5)
        colour = painter.light.shade("#efc27a", distance)
        painter.layers.append(
            Band(ridge, solid(lighten(colour, 0.12)), solid(darken(colour, 0.12)), extent=0.28)
        )
        centre, lean = rng.uniform(0.1, 0.9), rng.choice((-1, 1)) * rng.uniform(0.25, 0.5)
        run = np.clip((X - centre) / lean, 0.0, 1.0)
        lower = ridge + 0.2 * run * (1.0 - run) * 4.0 * 0.5
        shade = darken(colour, 0.2)
        painter.layers.append(
            Band(
                ridge,
                solid(shade, 0.75),
                solid(shade, 0.2),
                bottom=lower,
                extent=0.12,
                softness=0.008,
            )
        )


def paint_beach(painter: Painter) -> None:
    """Sea, foam and sand."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    _water(painter, y, y + 0.3)
    shore = waves(rng, y + rng.uniform(0.13, 0.18), 0.03, 0.4, 1.4)
    foam = painter.light.shade("#ffffff")
    painter.layers.append(
        Band(shore - 0.014, solid(foam, 0.9), solid(foam, 0.9), bottom=shore + 0.02, softness=0.008)
    )
    wet, sand = painter.light.shade("#d9b57e"), painter.light.shade("#f4dba6")
    painter.layers.append(Band(shore, solid(wet), solid(sand), extent=0.07))
    deep = darken(painter.light.shade("#e9c88d"), 0.08)
    painter.layers.append(
        Band(waves(rng, y + 0.36, 0.04, 0.4, 1.2), solid(sand, 0.0), solid(deep), extent=0.28)
    )


def _water(painter: Painter, top: float, bottom: float) -> None:
    """Add water with waves, and the glitter of sun or moon."""
    rng, light = painter.rng, painter.light
    far = mix(light.shade("#63b7d6", 0.1), light.sky[3], 0.75 if light.time == "sunset" else 0.45)
    near = water_colour(painter)
    painter.layers.append(Band(flat(top), solid(far), solid(near), extent=bottom - top))
    y, gap = top + 0.018, 0.022
    while y < min(bottom, 1.0):
        outline = waves(rng, y, gap * 0.3, 1.5, 4.5)
        tint = lighten(mix(far, near, (y - top) / (bottom - top)), 0.32)
        painter.layers.append(
            Band(outline, solid(tint, 0.55), solid(tint, 0.0), extent=gap * 1.1, softness=0.004)
        )
        y, gap = y + gap * 1.35, gap * 1.4


def water_colour(painter: Painter):
    """Return the colour of near water."""
    light = painter.light
    if light.time == "sunset":
        return mix(light.shade("#4f63b0"), light.sky[1], 0.4)
    return mix(light.shade("#2b83bd"), light.sky[1], 0.25)


def paint_sea(painter: Painter) -> None:
    """The open sea."""
    paint_sky(painter)
    _water(painter, painter.horizon, 1.05)


def paint_clouds_below(painter: Painter) -> None:
    """The sky above a sea of clouds."""
    paint_sky(painter)
    rng, y = painter.rng, painter.horizon
    upper, lower = cloud_colours(painter.light)
    for step in range(4):
        base = y + 0.02 + 0.1 * step
        blobs = []
        for index in range(4):
            blobs += cloud_blobs(rng, (index + rng.random()) / 4, base + 0.05, 0.22)
        fade = 0.45 - 0.15 * step
        top, bottom = (mix(colour, painter.light.haze, max(0.0, fade)) for colour in (upper, lower))
        painter.layers.append(Blobs(blobs, solid(top), solid(bottom), softness=0.012))
        painter.layers.append(
            Band(
                flat(base + 0.04),
                solid(bottom, 1.0),
                solid(mix(bottom, top, 0.6)),
                extent=0.12,
                softness=0.04,
            )
        )
