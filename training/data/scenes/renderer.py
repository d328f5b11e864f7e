"""Paints scenes from plans: one at a time on a CPU, many at once on a GPU.

Every layer is a function of its numbers and of pixel positions, in float32, without random
numbers of the device; so a scene has the same pixels everywhere, up to rounding.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.data.scenes.atlas import SpriteAtlas, SpriteTable, load_atlas
from training.data.scenes.description import Scene
from training.data.scenes.painters import PAINTERS, LayerNumbers
from training.data.scenes.plan import MIN_SIDE, Plan, plan_scenes

CPU_BATCH = 1  # scenes painted together on a CPU; one fits its cache
GPU_BATCH = 128  # scenes painted together on a GPU; bounds the memory


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
        return self.paint(plan_scenes(self.table, scenes, side, self.batch))

    def paint(self, plans: Sequence[Plan]) -> Tensor:
        """Paint what `plan_scenes` prepared: (B, 3, side, side), float32 in [-1, 1]."""
        side = plans[0].side if plans else MIN_SIDE
        total = sum(plan.num_images for plan in plans)
        device = self.atlas.levels[0].device
        images = torch.empty(total, 3, side, side, device=device)
        start = 0
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            for plan in plans:
                _paint_plan(plan, images[start : start + plan.num_images], self.atlas)
                start += plan.num_images
        return images

    @property
    def batch(self) -> int:
        """Return how many scenes are painted together."""
        return CPU_BATCH if self.atlas.levels[0].device.type == "cpu" else GPU_BATCH


def _paint_plan(plan: Plan, images: Tensor, atlas: SpriteAtlas) -> None:
    side = plan.side
    numbers = torch.from_numpy(plan.numbers).to(images.device, non_blocking=True)
    members = torch.from_numpy(plan.members).to(images.device, non_blocking=True)
    centres = (torch.arange(side, device=images.device, dtype=torch.float32) + 0.5) / side
    number, member = 0, 0  # places in both lists
    for step in plan.steps:
        table = numbers[number : number + step.count * step.width].view(step.count, step.width)
        chosen = members[member : member + step.count]
        number, member = number + step.count * step.width, member + step.count
        left, top, right, bottom = _pixel_bounds(step.bounds, side)
        if left >= right or top >= bottom:
            continue
        view = images[:, :, top:bottom, left:right]
        is_whole = step.count == plan.num_images
        region = view if is_whole else view.index_select(0, chosen)
        layers = LayerNumbers(table, centres[left:right], centres[top:bottom], side)
        PAINTERS[step.kind](region, layers, atlas.levels[step.level])
        if not is_whole:
            view.index_copy_(0, chosen, region)


def _pixel_bounds(bounds: tuple[float, ...], side: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = bounds
    low = [max(0, int(np.floor(edge * side)) - 1) for edge in (left, top)]
    high = [min(side, int(np.ceil(edge * side)) + 1) for edge in (right, bottom)]
    return low[0], low[1], high[0], high[1]
