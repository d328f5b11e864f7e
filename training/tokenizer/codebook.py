"""Keeps the codes of a tokenizer in use: where they start, who restarts them, how many are used."""

import math

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Generator, Tensor

from var_core.tokenizer import MultiScaleVQVAE, Quantization, VectorQuantizer

DEAD_BELOW = 0.02  # running count of a code's uses per step
FRESH = 0.1  # the count given to a code that was just moved


@torch.no_grad()
def residual_vectors(tokenizer: MultiScaleVQVAE, features: Tensor) -> Tensor:
    """What codes have to explain at each scale, if coarser scales were exact: (M, D)."""
    quantizer = tokenizer.quantizer
    latent = torch.zeros_like(features)
    residuals = []
    for scale_index, side in enumerate(quantizer.schedule.sides):
        residual = quantizer.next_input(features - latent, scale_index)  # (B, N, D)
        residuals.append(residual.flatten(0, 1))
        codes = residual.transpose(1, 2).unflatten(2, (side, side))
        latent = quantizer.add_scale(latent, codes, scale_index)
    return torch.cat(residuals)


@torch.no_grad()
def start_codes(tokenizer: MultiScaleVQVAE, images: Tensor, generator: Generator) -> None:
    """Fit the quantizer to encoded pictures, before codes are used for the first time.

    A codebook takes vectors that the pictures leave at each scale. Binary codes all have length
    one, so each refine convolution takes the least-squares factor of the first scale it serves.

    Args:
        tokenizer: its quantizer is changed in place.
        images: (B, 3, H, W) in [-1, 1].
        generator: source of randomness, the same in all processes.
    """
    quantizer = tokenizer.quantizer
    features = tokenizer.encode_features(images)
    if isinstance(quantizer, VectorQuantizer):
        vectors = residual_vectors(tokenizer, features)
        chosen = torch.randperm(len(vectors), generator=generator)[: quantizer.vocab_size]
        quantizer.codebook.weight[: len(chosen)] = vectors[chosen]
        return
    latent, fitted = torch.zeros_like(features), set()
    for scale_index, choice in enumerate(quantizer.refine_of_scale):
        codes = quantizer.embed(
            quantizer.nearest_tokens(quantizer.pool(features - latent, scale_index))
        )
        if choice not in fitted:
            fitted.add(choice)
            share = quantizer.add_scale(torch.zeros_like(latent), codes, scale_index)
            gain = ((features - latent) * share).mean() / share.square().mean()
            scale_refine(quantizer, choice, float(gain))
        latent = quantizer.add_scale(latent, codes, scale_index)


@torch.no_grad()
def scale_refine(quantizer: torch.nn.Module, choice: int, gain: float) -> None:
    """Make a refine step `gain` times as strong, its convolution being the identity."""
    ratio = quantizer.refine_ratio
    weight = quantizer.refine[choice].weight
    torch.nn.init.dirac_(weight)
    weight.mul_((gain - (1 - ratio)) / ratio)


class CodeUsage:
    """Counts how often each code occurs at each scale, old batches fading.

    Attributes:
        counts: (K, V) float32, uses per step and process.
    """

    def __init__(self, num_scales: int, vocab_size: int) -> None:
        self.counts = torch.zeros(num_scales, vocab_size)

    def count(self, quantization: Quantization, accelerator: Accelerator) -> None:
        """Add one batch of every process to the running count."""
        counts = count_codes(quantization, self.counts.shape[1])
        counts = accelerator.reduce(counts, "mean").cpu()
        self.counts.mul_(0.99).add_(counts, alpha=0.01)

    @torch.no_grad()
    def restart(self, quantizer: VectorQuantizer, vectors: Tensor, generator: Generator) -> int:
        """Move unused codes to where pictures are; returns how many.

        Args:
            quantizer: its codebook is changed in place, alike in all processes.
            vectors: of `residual_vectors`; those of the first process are taken.
            generator: source of randomness, the same in all processes.
        """
        vectors = broadcast(vectors)
        total = self.counts.sum(dim=0)
        dead = (total < DEAD_BELOW).nonzero().squeeze(1)
        chosen = torch.randperm(len(vectors), generator=generator)[: len(dead)]
        dead = dead[: len(chosen)]
        quantizer.codebook.weight[dead] = vectors[chosen].to(quantizer.codebook.weight)
        self.counts[:, dead] = FRESH / len(self.counts)
        return len(dead)


def count_codes(quantization: Quantization, vocab_size: int) -> Tensor:
    """How often each code occurs at each scale, (K, V) float32."""
    counts = [
        torch.bincount(token_map.flatten(), minlength=vocab_size)
        for token_map in quantization.token_maps
    ]
    return torch.stack(counts).float()


def usage_figures(counts: Tensor) -> dict[str, float | list[float]]:
    """How much of a vocabulary is in use.

    Args:
        counts: (K, V), occurrences of each code at each scale.

    Returns:
        `codes_used`: part of the codes that occur at all; `codes_used_per_scale`;
        `entropy_bits_per_scale`: of the codes of each scale, at most log2 V.
    """
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1e-12)
    entropy = -torch.xlogy(shares, shares).sum(dim=1) / math.log(2)
    return {
        "codes_used": (counts.sum(dim=0) > 0).float().mean().item(),
        "codes_used_per_scale": [
            round(used, 4) for used in (counts > 0).float().mean(dim=1).tolist()
        ],
        "entropy_bits_per_scale": [round(bits, 3) for bits in entropy.tolist()],
    }
