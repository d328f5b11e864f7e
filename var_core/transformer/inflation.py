"""Makes a transformer of clips from one of pictures."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from var_core.scales import ScaleSchedule, Sides
from var_core.transformer.model import VARTransformer

NOISE = 0.02  # standard deviation, so that frames of a scale do not begin alike


@torch.no_grad()
def inflate_transformer(
    transformer: VARTransformer, sides: Sides, generator: Generator
) -> VARTransformer:
    """A transformer of clips that draws first frames as one of pictures draws pictures.

    The tokens of a clip's scales begin with the places of the finest scale of a picture.

    Args:
        transformer: one of pictures, float32, on the CPU; keeps its weights.
        sides: maps of clips; those of the first frame are those of `transformer`.
        generator: source of randomness.

    Raises:
        ValueError: if the maps of the first frame are others, or there are none of clips.
    """
    schedule, before = ScaleSchedule(sides), transformer.schedule
    if not schedule.is_clip or schedule.first(schedule.num_picture_scales) != before:
        raise ValueError(
            f"the sides of clips must begin with {list(before.sides)}, "
            f"got {list(schedule.sides)!r:.80}"
        )
    settings: dict[str, Any] = dict(transformer.config)
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    settings["sides"] = sides
    with torch.device("meta"):
        made = VARTransformer(**settings)
    state = {key: value.clone() for key, value in transformer.state_dict().items()}
    finest = state["pos_embed"][:, before.token_range(before.num_scales - 1)]  # (1, N, C)
    maps = finest.transpose(1, 2).unflatten(2, before.final_shape)  # (1, C, H, W)
    number = range(before.num_scales, schedule.num_scales)
    places = [_places(maps, schedule.shape_of(index), generator) for index in number]
    state["pos_embed"] = torch.cat([state["pos_embed"], *places], dim=1)
    scales = state["scale_embed.weight"]
    state["scale_embed.weight"] = torch.cat([scales, scales[-1:].expand(len(number), -1)])
    made.load_state_dict(state, assign=True)
    return made.eval().requires_grad_(False)


def _places(maps: Tensor, shape: tuple[int, int, int], generator: Generator) -> Tensor:
    """Places for one scale of a clip, (1, N, C), from those of a picture, (1, C, H, W)."""
    frames, *size = shape
    resized = F.interpolate(maps, size=tuple(size), mode="area")
    places = resized.flatten(2).transpose(1, 2).repeat(1, frames, 1)
    return places + NOISE * torch.randn(places.shape, generator=generator)
