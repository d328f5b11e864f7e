"""Prepares the painting of scenes: in numbers only, so that other processes can do it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.scenes.atlas import NUM_LEVELS, TEXTURE_SIDE, SpriteTable
from training.data.scenes.composition import compose
from training.data.scenes.description import Scene
from training.data.scenes.layers import Layer, Sprite

MIN_SIDE, MAX_SIDE = 16, 1024  # pixels


@dataclass(frozen=True)
class Step:
    """Layers of one kind, of several pictures, painted together."""

    kind: str
    level: int  # of the atlas, for sprites
    count: int  # layers, each of another picture
    width: int  # numbers a layer
    bounds: tuple[float, ...]  # around all


@dataclass(frozen=True)
class Plan:
    """Steps that paint some pictures, and what they paint, in the same order."""

    num_images: int
    side: int  # pixels
    steps: list[Step]
    members: np.ndarray  # int64, flat: index of the picture of each layer
    numbers: np.ndarray  # float32, flat: numbers of each layer


def plan_scenes(table: SpriteTable, scenes: Sequence[Scene], side: int, batch: int) -> list[Plan]:
    """Prepare the painting of scenes, `batch` of them together.

    Raises:
        ValueError: if the side is out of range or a scene shows what the table lacks.
    """
    if not MIN_SIDE <= side <= MAX_SIDE:
        raise ValueError(f"side must lie in [{MIN_SIDE}, {MAX_SIDE}] pixels, got {side}")
    for scene in scenes:
        _check(table, scene)
    return [
        _plan([compose(table, scene) for scene in scenes[start : start + batch]], side)
        for start in range(0, len(scenes), batch)
    ]


def _check(table: SpriteTable, scene: Scene) -> None:
    num_things, num_styles = len(table.things), len(table.styles)
    if not 0 <= scene.style < num_styles:
        raise ValueError(f"style must lie in [0, {num_styles}), got {scene.style}")
    for placement in scene.placements:
        if not 0 <= placement.thing < num_things:
            raise ValueError(f"thing must lie in [0, {num_things}), got {placement.thing}")


def _plan(layer_lists: Sequence[Sequence[Layer]], side: int) -> Plan:
    steps: list[Step] = []
    members: list[int] = []
    rows: list[np.ndarray] = []
    for step, indices, numbers in _order(layer_lists, side):
        steps.append(step)
        members += indices
        rows += numbers
    return Plan(
        num_images=len(layer_lists),
        side=side,
        steps=steps,
        members=np.array(members, np.int64),
        numbers=np.concatenate(rows) if rows else np.empty(0, np.float32),
    )


def _order(
    layer_lists: Sequence[Sequence[Layer]], side: int
) -> Iterator[tuple[Step, list[int], list[np.ndarray]]]:
    """Order the layers of all pictures so that many of one kind can be painted together.

    Yields:
        A step, the indices of its pictures, and the numbers of their layers.
    """
    positions = [0] * len(layer_lists)
    waiting: dict[tuple[str, int, int], list[tuple[int, np.ndarray, tuple]]] = {}

    def queue(index: int) -> None:
        if positions[index] < len(layer_lists[index]):
            layer = layer_lists[index][positions[index]]
            positions[index] += 1
            row = layer.numbers()
            level = sprite_level(layer.scale * side) if isinstance(layer, Sprite) else 0
            key = (layer.kind, len(row), level)
            waiting.setdefault(key, []).append((index, row, layer.bounds(1.0 / side)))

    for index in range(len(layer_lists)):
        queue(index)
    while waiting:
        key = max(waiting, key=lambda candidate: len(waiting[candidate]))
        members, rows, bounds = zip(*waiting.pop(key), strict=True)
        edges = list(zip(*bounds, strict=True))
        around = (min(edges[0]), min(edges[1]), max(edges[2]), max(edges[3]))
        yield Step(key[0], key[2], len(members), key[1], around), list(members), list(rows)
        for index in members:
            queue(index)


def sprite_level(pixels: float) -> int:
    """Choose the level of the atlas for a sprite texture that is `pixels` wide in the picture."""
    level = round(math.log2(TEXTURE_SIDE / max(pixels, 1.0)))
    return min(max(level, 0), NUM_LEVELS - 1)
