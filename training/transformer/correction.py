"""Self-correction: inputs with wrong codes, and targets that correct them."""

import torch
from torch import Tensor

from training.loop.picture_random import PictureRandom
from var_core.tokenizer import MultiScaleQuantizer

CODES_AT_ONCE = 1024


@torch.no_grad()
def nearest_codes(code_vectors: Tensor, count: int) -> Tensor:
    """The nearest other codes of each code: (V, D) -> (V, min(count, V - 1)) int64."""
    count = min(count, len(code_vectors) - 1)
    rows = []
    for start in range(0, len(code_vectors), CODES_AT_ONCE):
        part = code_vectors[start : start + CODES_AT_ONCE]
        distances = torch.cdist(part, code_vectors)
        distances[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        rows.append(distances.topk(count, largest=False).indices)
    return torch.cat(rows)


@torch.no_grad()
def corrupt(
    quantizer: MultiScaleQuantizer,
    token_maps: list[Tensor],
    features: Tensor,
    neighbours: Tensor,
    strength: float,
    random: PictureRandom,
) -> tuple[Tensor, Tensor]:
    """Teacher inputs with wrong codes, and tokens re-quantized from the latent that they lead to.

    Each picture has its own chance of mistakes, uniform from 0 to `strength`. A mistake is a code
    near the right one; finer scales learn to correct it (arXiv 2412.04431, section 3.3, for any
    codebook).

    Args:
        quantizer: quantizer of the tokenizer.
        token_maps: tokens of the pictures, K tensors (B, h, w) or (B, t, h, w) int64, or of
            their first scales.
        features: features of the pictures before quantization, (B, D, H, W) or (B, D, T, H, W);
            of clips whose picture's scales are learned, those of the first frames will do.
        neighbours: (V, N) int64, codes that may replace each code (see `nearest_codes`).
        strength: largest chance of a mistake, in [0, 1].
        random: random numbers of the pictures.

    Returns:
        Next-scale inputs of scales 2 to K, (B, L - N_1, D), and targets, (B, L) int64. Where a
        picture has had no mistake so far, the targets are its own tokens.
    """
    size, features = len(features), features.float()
    device = features.device
    random.make_ahead(1 + 2 * sum(own[0].numel() for own in token_maps[:-1]), device)
    chance = random.uniform(device=device) * strength
    latent = torch.zeros_like(features)
    is_clean = torch.ones(size, dtype=torch.bool, device=device)
    inputs, targets = [], []
    last = len(token_maps) - 1
    for scale_index, own in enumerate(token_maps):
        each = (size, *[1] * (own.ndim - 1))  # a number per picture, beside its map
        residual = quantizer.pool(features - latent, scale_index)
        target = torch.where(is_clean.view(each), own, quantizer.nearest_tokens(residual))
        targets.append(target.flatten(1))
        if scale_index == last:
            break
        wrong = random.uniform(*own.shape[1:], device=device) < chance.view(each)
        picked = random.integers(neighbours.shape[1], *own.shape[1:], device=device)
        shown = torch.where(wrong, neighbours[target, picked], target)
        is_clean = is_clean & ~wrong.flatten(1).any(dim=1)
        latent = quantizer.add_scale(latent, quantizer.embed(shown), scale_index)
        inputs.append(quantizer.next_input(latent, scale_index + 1))
    return torch.cat(inputs, dim=1), torch.cat(targets, dim=1)
