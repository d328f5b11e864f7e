"""How well a tokenizer rebuilds pictures."""

from typing import Any

import torch
from torch import Tensor

from training.tokenizer.codebook import count_codes, usage_figures
from training.tokenizer.perceptual import PerceptualDistance
from var_core.tokenizer import MultiScaleVQVAE, Quantization

PICTURES_AT_ONCE = 64


@torch.no_grad()
def rebuild(tokenizer: MultiScaleVQVAE, images: Tensor) -> tuple[Tensor, Quantization]:
    """Pictures (B, 3, H, W) in [-1, 1] encoded and decoded, rounded to 8 bits, and the codes."""
    quantization = tokenizer.encode(images)
    decoded = tokenizer.decode_latent(quantization.latent)
    return ((decoded + 1) * 127.5).round() / 127.5 - 1, quantization


def rebuilt_psnr(rebuilt: Tensor, images: Tensor) -> Tensor:
    """PSNR of each rebuilt picture in dB, for the range 0 to 255: two (B, 3, H, W) -> (B,)."""
    error = (rebuilt - images).square().mean(dim=(1, 2, 3)) / 4
    return -10 * error.clamp(min=1e-10).log10()


@torch.no_grad()
def reconstruction_figures(
    tokenizer: MultiScaleVQVAE, perceptual: PerceptualDistance | None, images: Tensor
) -> dict[str, Any]:
    """Measure how well pictures (N, 3, H, W) in [-1, 1] are rebuilt.

    Returns:
        `psnr`: mean over pictures, in dB for the range 0 to 255, of pictures rounded to 8 bits;
        `perceptual`: mean distance, None without a net; and the figures of `usage_figures`.
    """
    psnr, distance = [], []
    vocab_size = tokenizer.quantizer.vocab_size
    counts = torch.zeros(tokenizer.schedule.num_scales, vocab_size)
    for batch in images.split(PICTURES_AT_ONCE):
        rebuilt, quantization = rebuild(tokenizer, batch)
        psnr.append(rebuilt_psnr(rebuilt, batch))
        if perceptual is not None:
            distance.append(perceptual(rebuilt, batch).float())
        counts += count_codes(quantization, vocab_size).cpu()
    return {
        "psnr": torch.cat(psnr).mean().item(),
        "perceptual": torch.cat(distance).mean().item() if distance else None,
        **usage_figures(counts),
    }
