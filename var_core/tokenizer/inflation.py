"""Makes a tokenizer of clips from one of pictures."""

from typing import Any

import torch
from torch import Generator, nn

from var_core.scales import ScaleSchedule, Sides
from var_core.tokenizer.time_layers import TimeMix
from var_core.tokenizer.vqvae import MultiScaleVQVAE

IN_TIME = ("time_down.", "time_up.", "quantizer.refine_time.")  # weights that pictures have not


@torch.no_grad()
def init_time(tokenizer: MultiScaleVQVAE, generator: Generator) -> None:
    """Initialise in place what works along the time, so that it does nothing yet.

    Args:
        tokenizer: one of clips, float32, on the CPU.
        generator: source of randomness.
    """
    for module in tokenizer.modules():
        if isinstance(module, TimeMix):
            nn.init.xavier_normal_(module.seen.weight, generator=generator)
            nn.init.zeros_(module.out.weight)
    for refine in tokenizer.quantizer.refine_time.parameters():
        if refine.ndim == 4:  # a kernel
            nn.init.dirac_(refine)
        else:
            nn.init.zeros_(refine)


def outline_inflated(
    tokenizer: MultiScaleVQVAE, sides: Sides, frame_stride: int
) -> MultiScaleVQVAE:
    """What `inflate_tokenizer` makes, without weights: on the meta device.

    Raises:
        ValueError: as there.
    """
    schedule = ScaleSchedule(sides)
    picture = schedule.first(schedule.num_picture_scales)
    if not schedule.is_clip or picture != tokenizer.schedule:
        raise ValueError(
            f"the sides of clips must begin with {list(tokenizer.schedule.sides)}, "
            f"got {list(schedule.sides)!r:.80}"
        )
    settings: dict[str, Any] = dict(tokenizer.config)
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    with torch.device("meta"):
        return MultiScaleVQVAE(**settings | {"sides": sides, "frame_stride": frame_stride})


def inflate_tokenizer(
    tokenizer: MultiScaleVQVAE, sides: Sides, frame_stride: int, generator: Generator
) -> MultiScaleVQVAE:
    """A tokenizer of clips that encodes single frames as one of pictures does.

    Before it is trained, it keeps every `frame_stride`-th frame and fades between these.

    Args:
        tokenizer: one of pictures, float32, on the CPU; keeps its weights.
        sides: maps of clips; those of the first frame are those of `tokenizer`.
        frame_stride: frames for each frame of the latent after the first.
        generator: source of randomness.

    Raises:
        ValueError: if the maps of the first frame are others, or there are none of clips.
    """
    made = outline_inflated(tokenizer, sides, frame_stride)
    state = {key: value.clone() for key, value in tokenizer.state_dict().items()}
    made = made.to_empty(device=tokenizer.device)
    init_time(made, generator)
    made.load_state_dict(made.state_dict() | state)
    return made.eval().requires_grad_(False)
