"""Outlines of hills, mountains, trees and houses: y over x at NUM_POINTS points."""

from random import Random

import numpy as np

from training.data.scenes.layers import NUM_POINTS

X = np.linspace(0.0, 1.0, NUM_POINTS, dtype=np.float32)
TURN = np.float32(2.0 * np.pi)


def flat(y: float) -> np.ndarray:
    """Return a level outline."""
    return np.full(NUM_POINTS, y, np.float32)


def waves(rng: Random, y: float, height: float, slowest: float, fastest: float) -> np.ndarray:
    """Return a smooth outline around `y` from three sine waves.

    Args:
        rng: source of the shape.
        y: mean height.
        height: largest deviation, about.
        slowest: full waves over the picture, of the longest wave.
        fastest: full waves over the picture, of the shortest wave.
    """
    outline = np.full(NUM_POINTS, y, np.float32)
    for amplitude in (0.55, 0.3, 0.15):
        frequency = slowest + (fastest - slowest) * rng.random()
        outline += height * amplitude * np.sin(TURN * (frequency * X + rng.random()))
        slowest = min(slowest * 1.6, fastest)
    return outline


def peaks(rng: Random, y: float, height: float, count: int, rugged: float = 0.25) -> np.ndarray:
    """Return a range of pointed mountains that stand on the line `y`."""
    outline = np.full(NUM_POINTS, y, np.float32)
    for index in range(count):
        centre = (index + rng.uniform(0.2, 0.8)) / count
        tall = height * rng.uniform(0.55, 1.0)
        left, right = rng.uniform(1.0, 2.0), rng.uniform(1.0, 2.0)
        distance = X - centre
        slope = np.where(distance < 0, -distance * left, distance * right)
        np.minimum(outline, y - tall + slope, out=outline)
    saw = np.abs(((X * rng.uniform(9, 13) + rng.random()) % 1.0) - 0.5)
    saw += 0.5 * np.abs(((X * rng.uniform(19, 27) + rng.random()) % 1.0) - 0.5)
    return outline + (saw - 0.4) * (height * rugged * 0.3)


def firs(rng: Random, ground: np.ndarray, count: int, height: float) -> np.ndarray:
    """Return an outline of fir trees that stand on another outline."""
    places = (np.arange(count) + [rng.uniform(0.1, 0.9) for _ in range(count)]) / count
    heights = height * np.array([rng.uniform(0.55, 1.0) for _ in range(count)])
    widths = heights * np.array([rng.uniform(0.2, 0.3) for _ in range(count)])
    places, heights, widths = (
        part.astype(np.float32)[:, None] for part in (places, heights, widths)
    )
    part = np.abs(X[None] - places) / widths  # 0 at the trunk, 1 at the lowest twigs
    tiers = part - 0.16 * np.abs(((part * 3.0) % 1.0) - 0.5)
    rise = np.where(part < 1.0, heights * (1.0 - tiers), 0.0)
    return ground - np.maximum(rise.max(0), 0.0)


def skyline(rng: Random, y: float, height: float, count: int) -> tuple[np.ndarray, list]:
    """Return an outline of houses on the line `y`, and (left, right, top) of each house."""
    outline = np.full(NUM_POINTS, y, np.float32)
    edge, houses = -0.02, []
    while edge < 1.0:
        width = rng.uniform(0.6, 1.4) / count
        top = y - height * rng.uniform(0.35, 1.0)
        inside = (edge <= X) & (edge + width > X)
        outline[inside] = top
        houses.append((edge, edge + width, top))
        edge += width + (rng.uniform(0.0, 0.4) / count if rng.random() < 0.3 else 0.0)
    return outline, houses


def ray(x: float, lean: float, width: float, y: float, length: float):
    """Return top and bottom outlines of a slanted ray of light that begins at (x, y)."""
    inside = np.clip((X - x) / lean, 0.0, 1.0) * length  # y at which the ray's one side passes
    other = np.clip((X - x - width) / lean, 0.0, 1.0) * length
    return y + np.minimum(inside, other), y + np.maximum(inside, other)
