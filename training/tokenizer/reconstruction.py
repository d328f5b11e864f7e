"""How well a tokenizer rebuilds pictures."""

from typing import Any

import torch
from torch import Tensor

from training.tokenizer.codebook import count_codes, usage_figures
from training.tokenizer.perceptual import PerceptualDistance
from var_core.tokenizer import MultiScaleVQVAE

PICTURES_AT_ONCE = 64


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
        quantization = tokenizer.encode(batch)
        rebuilt = ((tokenizer.decode_latent(quantization.latent) + 1) * 127.5).round() / 127.5 - 1
        error = (rebuilt - batch).square().mean(dim=(1, 2, 3)) / 4
        psnr.append(-10 * error.clamp(min=1e-10).log10())
        if perceptual is not None:
            distance.append(perceptual(rebuilt, batch).float())
        counts += count_codes(quantization, vocab_size).cpu()
    return {
        "psnr": torch.cat(psnr).mean().item(),
        "perceptual": torch.cat(distance).mean().item() if distance else None,
        **usage_figures(counts),
    }
