"""The kinds of layers as functions of numbers and pixel positions.

Every painter changes a region (B, 3, h, w) in place. It gets the numbers of the layers and a level
of the atlas, which only sprites use.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.scenes.layers import NUM_POINTS

SEEN_THROUGH_WATER = 0.8  # part of a thing that water hides


@dataclass(frozen=True)
class LayerNumbers:
    """Layers of one kind, and where the pixels of the region lie."""

    table: Tensor  # numbers of each layer, (B, P)
    xs: Tensor  # centres of the columns, (w,)
    ys: Tensor  # centres of the rows, (h,)
    side: int  # pixels of the picture's side


def _maps(column: Tensor) -> Tensor:
    return column[:, None, None, None]


def _colours(column: Tensor) -> Tensor:
    return column[:, :, None, None]


def _blend(region: Tensor, colours: Tensor, coverage: Tensor) -> None:
    """Put colours (B, 4, ., .) over a region (B, 3, h, w), each pixel by its coverage."""
    region.lerp_(colours[:, :3] * 2.0 - 1.0, coverage * colours[:, 3:])


def _mix(near: Tensor, far: Tensor, progress: Tensor) -> Tensor:
    return torch.lerp(_colours(near), _colours(far), progress.clamp_(0.0, 1.0))


def _paint_gradient(region: Tensor, layers: LayerNumbers, level: Tensor) -> None:
    table, ys = layers.table, layers.ys
    heights, colours = table[:, :4], table[:, 4:].view(-1, 4, 4)
    rows = ys.expand(len(table), -1)  # (B, h)
    result = colours[:, 0, :3, None].expand(-1, -1, len(ys))
    for index in range(3):
        start, end = heights[:, index, None], heights[:, index + 1, None]
        progress = ((rows - start) / (end - start).clamp_min(1e-4)).clamp(0.0, 1.0)
        progress = progress * progress * (3.0 - 2.0 * progress) * 0.35 + progress * 0.65
        result = torch.lerp(result, colours[:, index + 1, :3, None], progress[:, None])
    region.copy_((result * 2.0 - 1.0)[..., None].expand_as(region))  # (B, 3, h, w)


def _paint_band(region: Tensor, layers: LayerNumbers, level: Tensor) -> None:
    table, xs, ys, side = layers.table, layers.xs, layers.ys, layers.side
    extent, follow, start, softness = table[:, :4].unbind(1)
    top, slope = _outline(table[:, 12 : 12 + NUM_POINTS], xs)  # (B, 1, 1, w)
    pixel = 1.0 / (softness.clamp_min(1.0 / side))
    rows = ys[None, None, :, None]
    coverage = ((rows - top) * (_maps(pixel) * slope)).add_(0.5).clamp_(0.0, 1.0)
    if table.shape[1] > 12 + NUM_POINTS:
        bottom, slope = _outline(table[:, 12 + NUM_POINTS :], xs)
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


def _paint_box(region: Tensor, layers: LayerNumbers, level: Tensor) -> None:
    table, xs, ys, side = layers.table, layers.xs, layers.ys, layers.side
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


def _paint_blobs(region: Tensor, layers: LayerNumbers, level: Tensor) -> None:
    table, xs, ys, side = layers.table, layers.xs, layers.ys, layers.side
    radius, softness, top, bottom = (_maps(part) for part in table[:, :4].unbind(1))
    centre_x, centre_y, radius_x, radius_y = table[:, 12:].view(len(table), 4, -1).unbind(1)
    density = _sum_products(_bumps(ys, centre_y, radius_y), _bumps(xs, centre_x, radius_x))
    distance = density.clamp_(1e-12, 1.0).log_().neg_().sqrt_()  # 1 on an ellipse's outline
    sharpness = radius / softness.clamp_min(1.0 / side)
    coverage = ((1.0 - distance) * sharpness).add_(0.5).clamp_(0.0, 1.0)
    progress = (ys[None, None, :, None] - top) / (bottom - top)
    _blend(region, _mix(table[:, 4:8], table[:, 8:12], progress), coverage)


def _paint_dots(region: Tensor, layers: LayerNumbers, level: Tensor) -> None:
    table, xs, ys = layers.table, layers.xs, layers.ys
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


def _paint_sprite(region: Tensor, layers: LayerNumbers, level: Tensor) -> None:
    table, xs, ys, side = layers.table, layers.xs, layers.ys, layers.side
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
    if table.shape[1] > 10:
        depth = (rows[:, None] - _maps(table[:, 10])) * (0.5 * side)
        pixels *= 1.0 - SEEN_THROUGH_WATER * (depth + 0.5).clamp_(0.0, 1.0)
    opaque = pixels[:, 3:]
    colours = pixels[:, :3] * (2.0 * _colours(table[:, 6:9]))
    region.mul_(1.0 - opaque).add_(colours).sub_(opaque)


PAINTERS: dict[str, Callable[[Tensor, LayerNumbers, Tensor], None]] = {
    "gradient": _paint_gradient,
    "band": _paint_band,
    "box": _paint_box,
    "blobs": _paint_blobs,
    "dots": _paint_dots,
    "sprite": _paint_sprite,
}
