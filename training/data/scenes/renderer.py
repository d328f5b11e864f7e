"""Paints lists of layers: one scene at a time on a CPU, many at once on a GPU.

Every layer is a function of its numbers and of pixel positions, in float32, without random
numbers of the device; so a scene has the same pixels everywhere, up to rounding.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.scenes.atlas import (
    NUM_LEVELS,
    TEXTURE_SIDE,
    SpriteAtlas,
    SpriteTable,
    load_atlas,
)
from training.data.scenes.composition import compose
from training.data.scenes.description import Scene
from training.data.scenes.layers import NUM_POINTS, Layer, Sprite

CPU_BATCH = 1  # scenes painted together on a CPU; one fits its cache
GPU_BATCH = 128  # scenes painted together on a GPU; bounds the memory
SEEN_THROUGH_WATER = 0.8  # part of a thing that water hides
MIN_SIDE, MAX_SIDE = 16, 1024  # pixels


class SceneRenderer:
    """Turns descriptions into pictures on one device."""

    def __init__(self, table: SpriteTable, device: torch.device | str = "cpu") -> None:
        self.table = table
        self.atlas = load_atlas(table).to(device)

    def render(self, scenes: Sequence[Scene], side: int = 256) -> Tensor:
        """Paint scenes: (B, 3, side, side), float32 in [-1, 1], on the renderer's device.

        Raises:
            ValueError: if the side is out of range or a scene shows what the table lacks.
        """
        if not MIN_SIDE <= side <= MAX_SIDE:
            raise ValueError(f"side must lie in [{MIN_SIDE}, {MAX_SIDE}] pixels, got {side}")
        for scene in scenes:
            self._check(scene)
        return paint([compose(self.table, scene) for scene in scenes], self.atlas, side)

    def _check(self, scene: Scene) -> None:
        num_things, num_styles = len(self.table.things), len(self.table.styles)
        if not 0 <= scene.style < num_styles:
            raise ValueError(f"style must lie in [0, {num_styles}), got {scene.style}")
        for placement in scene.placements:
            if not 0 <= placement.thing < num_things:
                raise ValueError(f"thing must lie in [0, {num_things}), got {placement.thing}")


def paint(layer_lists: Sequence[Sequence[Layer]], atlas: SpriteAtlas, side: int) -> Tensor:
    """Paint pictures from their layers: (B, 3, side, side), float32 in [-1, 1].

    Args:
        layer_lists: layers of each picture, back to front.
        atlas: sprites; the pictures are painted on their device.
        side: pixels of the side.
    """
    device = atlas.levels[0].device
    size = CPU_BATCH if device.type == "cpu" else GPU_BATCH
    images = torch.empty(len(layer_lists), 3, side, side, device=device)
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        for start in range(0, len(layer_lists), size):
            _paint_part(images[start : start + size], layer_lists[start : start + size], atlas)
    return images


def _paint_part(images: Tensor, layer_lists: Sequence[Sequence[Layer]], atlas: SpriteAtlas) -> None:
    side = images.shape[-1]
    steps = list(_plan(layer_lists, side))
    flat = np.concatenate([row for step in steps for row in step.rows])
    numbers = torch.from_numpy(flat).to(images.device, non_blocking=True)
    centres = (torch.arange(side, device=images.device, dtype=torch.float32) + 0.5) / side
    position = 0
    for step in steps:
        count = len(step.members) * len(step.rows[0])
        table = numbers[position : position + count].view(len(step.members), -1)
        position += count
        left, top, right, bottom = _pixel_bounds(step.bounds, side)
        if left >= right or top >= bottom:
            continue
        is_whole = len(step.members) == len(images)
        chosen = images if is_whole else images[step.members]
        region = chosen[:, :, top:bottom, left:right]
        level = atlas.levels[step.level]
        PAINTERS[step.kind](region, table, centres[left:right], centres[top:bottom], side, level)
        if not is_whole:
            images[step.members] = chosen


@dataclass(frozen=True)
class Step:
    """Layers of one kind, of several pictures, painted together."""

    kind: str
    level: int  # of the atlas, for sprites
    members: list[int]  # indices of the pictures
    rows: list[np.ndarray]  # numbers of each layer
    bounds: tuple[float, ...]  # around all


def _plan(layer_lists: Sequence[Sequence[Layer]], side: int) -> Iterator[Step]:
    """Order the layers of all pictures so that many of one kind can be painted together."""
    positions = [0] * len(layer_lists)
    waiting: dict[tuple[str, int], list[tuple[int, np.ndarray, tuple]]] = {}

    def queue(index: int) -> None:
        if positions[index] < len(layer_lists[index]):
            layer = layer_lists[index][positions[index]]
            positions[index] += 1
            row = layer.numbers()
            level = sprite_level(layer.scale * side) if isinstance(layer, Sprite) else 0
            waiting.setdefault((layer.kind, len(row), level), []).append((index, row, layer.bounds))

    for index in range(len(layer_lists)):
        queue(index)
    while waiting:
        key = max(waiting, key=lambda candidate: len(waiting[candidate]))
        entries = waiting.pop(key)
        members, rows, bounds = zip(*entries, strict=True)
        edges = list(zip(*bounds, strict=True))
        around = (min(edges[0]), min(edges[1]), max(edges[2]), max(edges[3]))
        yield Step(key[0], key[2], list(members), list(rows), around)
        for index in members:
            queue(index)


def sprite_level(pixels: float) -> int:
    """Choose the level of the atlas for a sprite texture that is `pixels` wide in the picture."""
    level = round(math.log2(TEXTURE_SIDE / max(pixels, 1.0)))
    return min(max(level, 0), NUM_LEVELS - 1)


def _pixel_bounds(bounds: tuple[float, ...], side: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = bounds
    low = [max(0, int(np.floor(edge * side)) - 1) for edge in (left, top)]
    high = [min(side, int(np.ceil(edge * side)) + 1) for edge in (right, bottom)]
    return low[0], low[1], high[0], high[1]


def _maps(column: Tensor) -> Tensor:
    return column[:, None, None, None]


def _colours(column: Tensor) -> Tensor:
    return column[:, :, None, None]


def _blend(region: Tensor, colours: Tensor, coverage: Tensor) -> None:
    """Put colours (B, 4, ., .) over a region (B, 3, h, w), each pixel by its coverage."""
    region.lerp_(colours[:, :3] * 2.0 - 1.0, coverage * colours[:, 3:])


def _mix(near: Tensor, far: Tensor, progress: Tensor) -> Tensor:
    return torch.lerp(_colours(near), _colours(far), progress.clamp_(0.0, 1.0))


def _paint_gradient(region, table, xs, ys, side, level) -> None:
    heights, colours = table[:, :4], table[:, 4:].view(-1, 4, 4)
    rows = ys.expand(len(table), -1)  # (B, h)
    result = colours[:, 0, :3, None].expand(-1, -1, len(ys))
    for index in range(3):
        start, end = heights[:, index, None], heights[:, index + 1, None]
        progress = ((rows - start) / (end - start).clamp_min(1e-4)).clamp(0.0, 1.0)
        progress = progress * progress * (3.0 - 2.0 * progress) * 0.35 + progress * 0.65
        result = torch.lerp(result, colours[:, index + 1, :3, None], progress[:, None])
    region.copy_((result * 2.0 - 1.0)[..., None].expand_as(region))  # (B, 3, h, w)


def _paint_band(region, table, xs, ys, side, level) -> None:
    extent, follow, start, softness = table[:, :4].unbind(1)
    top, slope = _outline(table[:, 12 : 12 + NUM_POINTS], xs)  # (B, 1, 1, w)
    pixel = 1.0 / (softness.clamp_min(1.0 / side))
    rows = ys[None, None, :, None]
    coverage = ((rows - top) * (_maps(pixel) * slope)).add_(0.5).clamp_(0.0, 1.0)
    bottom_points = table[:, 12 + NUM_POINTS :]
    bottom, slope = _outline(bottom_points, xs)
    coverage *= ((bottom - rows) * (_maps(pixel) * slope)).add_(0.5).clamp_(0.0, 1.0)
    origin = _maps(follow) * top + _maps((1.0 - follow) * start)
    progress = (rows - origin) / _maps(extent)
    _blend(region, _mix(table[:, 4:8], table[:, 8:12], progress), coverage)


def _outline(points: Tensor, xs: Tensor) -> tuple[Tensor, Tensor]:
    """Read an outline at pixel columns: its y, and the cosine of its slope, (B, 1, 1, w) both."""
    places = xs * (NUM_POINTS - 1)
    index = places.long().clamp_(0, NUM_POINTS - 2)
    left, right = points[:, index], points[:, index + 1]
    height = torch.lerp(left, right, (places - index)[None])
    rise = (right - left) * (NUM_POINTS - 1)
    return height[:, None, None], torch.rsqrt(1.0 + rise * rise)[:, None, None]


def _paint_box(region, table, xs, ys, side, level) -> None:
    left, top, right, bottom, radius, softness = (_maps(part) for part in table[:, :6].unbind(1))
    rows, columns = ys[None, None, :, None], xs[None, None, None]
    across = (columns - (left + right) / 2).abs_() - ((right - left) / 2 - radius)
    along = (rows - (top + bottom) / 2).abs_() - ((bottom - top) / 2 - radius)
    outside = (across.clamp_min(0.0).square() + along.clamp_min(0.0).square()).sqrt_()
    distance = outside + torch.maximum(across, along).clamp_max_(0.0) - radius
    coverage = (0.5 - distance / softness.clamp_min(1.0 / side)).clamp_(0.0, 1.0)
    progress = (rows - top) / (bottom - top)
    _blend(region, _mix(table[:, 6:10], table[:, 10:14], progress), coverage)


def _bumps(places: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Evaluate bell curves: places (n,), centres and radii (B, K) -> (B, K, n)."""
    return torch.exp(-((places - centres[..., None]) / radii[..., None]).square())


def _sum_products(along: Tensor, across: Tensor) -> Tensor:
    """Sum outer products: (B, K, h), (B, K, w) -> (B, 1, h, w)."""
    if along.device.type != "cpu":  # in float64, so that reduced precision settings do not count
        return torch.bmm(along.double().transpose(1, 2), across.double()).float()[:, None]
    return torch.bmm(along.transpose(1, 2), across)[:, None]


def _paint_blobs(region, table, xs, ys, side, level) -> None:
    radius, softness, top, bottom = (_maps(part) for part in table[:, :4].unbind(1))
    centre_x, centre_y, radius_x, radius_y = table[:, 12:].view(len(table), 4, -1).unbind(1)
    density = _sum_products(_bumps(ys, centre_y, radius_y), _bumps(xs, centre_x, radius_x))
    distance = density.clamp_(1e-12, 1.0).log_().neg_().sqrt_()  # 1 on an ellipse's outline
    sharpness = radius / softness.clamp_min(1.0 / side)
    coverage = ((1.0 - distance) * sharpness).add_(0.5).clamp_(0.0, 1.0)
    progress = (ys[None, None, :, None] - top) / (bottom - top)
    _blend(region, _mix(table[:, 4:8], table[:, 8:12], progress), coverage)


def _paint_dots(region, table, xs, ys, side, level) -> None:
    columns = table[:, 1:].view(len(table), 8, -1)
    centre_x, centre_y, radius_x, radius_y = columns[:, :4].unbind(1)
    along, across = _bumps(ys, centre_y, radius_y), _bumps(xs, centre_x, radius_x)
    weights = columns[:, 7, :, None]  # (B, K, 1)
    total = _sum_products(along * weights, across)
    colours = [
        _sum_products(along * (weights * columns[:, channel, :, None]), across)
        for channel in (4, 5, 6)
    ]
    colours = torch.cat(colours, 1) / total.clamp_min(1e-12)
    region.lerp_(colours.mul_(2.0).sub_(1.0), (total * _maps(table[:, 0])).clamp_(0.0, 1.0))


def _paint_sprite(region, table, xs, ys, side, level) -> None:
    matrix = table[:, :6].view(-1, 2, 3)
    rows, columns = ys[None, :, None], xs[None, None]
    grid = torch.stack(
        [
            matrix[:, axis, 0, None, None] * columns
            + matrix[:, axis, 1, None, None] * rows
            + matrix[:, axis, 2, None, None]
            for axis in (0, 1)
        ],
        dim=-1,
    )  # (B, h, w, 2)
    textures = level[table[:, 9].round().long()].float().div_(255.0)
    pixels = F.grid_sample(textures, grid, align_corners=False)  # (B, 4, h, w), premultiplied
    if bool((table[:, 10] < 1.0).any()) if table.device.type == "cpu" else True:
        depth = (rows[:, None] - _maps(table[:, 10])) * (0.5 * side)
        pixels *= 1.0 - SEEN_THROUGH_WATER * (depth + 0.5).clamp_(0.0, 1.0)
    opaque = pixels[:, 3:]
    colours = pixels[:, :3] * (2.0 * _colours(table[:, 6:9]))
    region.mul_(1.0 - opaque).add_(colours).sub_(opaque)


PAINTERS = {
    "gradient": _paint_gradient,
    "band": _paint_band,
    "box": _paint_box,
    "blobs": _paint_blobs,
    "dots": _paint_dots,
    "sprite": _paint_sprite,
}
