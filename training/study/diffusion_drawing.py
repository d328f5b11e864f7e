"""Noise, and the way back: rectified flow through the Euler scheduler of diffusers."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from training.loop.picture_random import PictureRandom
from training.study.diffusion_network import NUM_TIMES, DiffusionTransformer
from var_core.condition import Condition, join_conditions
from var_core.sampling.logits import apply_guidance


def new_scheduler() -> Any:  # its annotations do not fit what it takes and gives
    """The scheduler of training and drawing: 1,000 times, none of them stretched."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=NUM_TIMES)


def noisy(latents: Tensor, random: PictureRandom) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latents (B, D, H, W), their times (B,) and their velocity (B, D, H, W).

    Times in the middle are more frequent: a logit-normal choice (arXiv 2403.03206, section 3.1).
    """
    device = latents.device
    place = (random.normal().sigmoid() * NUM_TIMES).long().clamp(max=NUM_TIMES - 1)
    noise = random.normal(*latents.shape[1:]).to(device)
    scheduler = new_scheduler()
    # as `scheduler.scale_noise`, which looks up one time after the other
    part = scheduler.sigmas[place].to(device).view(-1, 1, 1, 1)
    times = scheduler.timesteps[place].to(device)
    return part * noise + (1 - part) * latents, times, noise - latents


@torch.inference_mode()
def draw_latents(
    network: DiffusionTransformer,
    condition: Condition,
    num_steps: int,
    guidance: float,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Draw a latent for each row of a condition, (B, D, H, W) float32.

    Args:
        network: trained network.
        condition: B rows.
        num_steps: evaluations of the network, at times that lie equally far apart: each removes
            an equal part of the noise.
        guidance: weight of guidance, as for VAR: (1 + g) * conditional - g * unconditional.
        generators: one for each row, on the device of the network.
    """
    count = len(condition)
    asked = condition.to(network.device)
    if guidance:
        asked = join_conditions((asked, network.null_condition(count)))
    shape = (network.config["channels"], *network.schedule.latent_shape)
    latents = torch.stack(
        [torch.randn(shape, generator=one, device=network.device) for one in generators]
    )
    scheduler = new_scheduler()
    # by itself it would end on 0.001, and spend the last evaluation on next to nothing
    levels = torch.linspace(1.0, 1 / num_steps, num_steps).tolist()
    scheduler.set_timesteps(sigmas=levels, device=network.device)
    for time in scheduler.timesteps:
        rows = torch.cat((latents, latents)) if guidance else latents
        velocity = network.velocity(rows, time.expand(len(rows)), asked)
        if guidance:
            velocity = apply_guidance(*velocity.chunk(2), guidance)
        latents = scheduler.step(velocity, time, latents, return_dict=False)[0]
    return latents
