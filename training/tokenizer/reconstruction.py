"""How well a tokenizer rebuilds pictures."""

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from training.loop.processes import dealt, gathered
from training.tokenizer.codebook import count_codes, usage_figures
from training.tokenizer.perceptual import PerceptualDistance
from var_core.tokenizer import MultiScaleVQVAE, Quantization
from var_core.tokenizer.frames import as_pictures

PICTURES_AT_ONCE = 64


@torch.no_grad()
def rebuild(tokenizer: MultiScaleVQVAE, images: Tensor) -> tuple[Tensor, Quantization]:
    """Pictures or clips in [-1, 1] encoded and decoded, rounded to 8 bits, and the codes."""
    quantization = tokenizer.encode(images)
    decoded = tokenizer.decode_latent(quantization.latent)
    return ((decoded + 1) * 127.5).round() / 127.5 - 1, quantization


def rebuilt_psnr(rebuilt: Tensor, images: Tensor) -> Tensor:
    """PSNR of each rebuilt picture in dB, for the range 0 to 255: two (B, 3, H, W) -> (B,)."""
    error = (rebuilt - images).square().mean(dim=(1, 2, 3)) / 4
    return -10 * error.clamp(min=1e-10).log10()


@torch.no_grad()
def reconstruction_figures(
    tokenizer: MultiScaleVQVAE,
    perceptual: PerceptualDistance | None,
    images: Tensor,
    accelerator: Accelerator | None = None,
) -> dict[str, Any]:
    """Measure how well pictures (N, 3, H, W), or clips (N, 3, F, H, W), in [-1, 1] are rebuilt.

    Args:
        tokenizer: tokenizer to measure.
        perceptual: distance; None leaves it out.
        images: the pictures, on the tokenizer's device.
        accelerator: processes that share the work, each of which gets all figures; None for one.

    Returns:
        `psnr`: mean over pictures or frames, in dB for the range 0 to 255, of pictures rounded to 8
        bits;
        `perceptual`: mean distance, None without a net; and the figures of `usage_figures`.
    """
    psnr, distance = [], []
    vocab_size = tokenizer.quantizer.vocab_size
    accelerator = accelerator or Accelerator(cpu=images.device.type == "cpu")
    counts = torch.zeros(tokenizer.schedule.num_scales, vocab_size)
    at_once = -(-PICTURES_AT_ONCE // tokenizer.num_frames)
    for rows in dealt(accelerator, len(images), at_once):
        batch = images[rows.to(images.device)]
        rebuilt, quantization = rebuild(tokenizer, batch)
        rebuilt, batch = as_pictures(rebuilt), as_pictures(batch)
        psnr.append(gathered(accelerator, rebuilt_psnr(rebuilt, batch)))
        if perceptual is not None:
            distance.append(gathered(accelerator, perceptual(rebuilt, batch).float().flatten()))
        token_maps = [gathered(accelerator, found) for found in quantization.token_maps]
        counts += count_codes(token_maps, vocab_size)
    return {
        "psnr": torch.cat(psnr).mean().item(),
        "perceptual": torch.cat(distance).mean().item() if distance else None,
        **usage_figures(counts),
    }
