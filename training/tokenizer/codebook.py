"""Keeps the codes of a tokenizer in use: first values, restarts of unused codes, counts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from training.loop.checkpoint import step_generator
from training.loop.ema import ExponentialAverage
from training.loop.optim import forget_rows
from training.tokenizer.settings import TokenizerSettings
from var_core.tokenizer import (
    MultiScaleQuantizer,
    MultiScaleVQVAE,
    Quantization,
    VectorQuantizer,
)

PICTURES_AT_ONCE = 32
RESTART_PICTURES = 256  # whose vectors take the place of unused codes
WINDOW = 100  # steps whose codes count as in use
DEAD_BELOW = 0.02  # running count of a code's uses per step
FRESH = 0.1  # running count of a code that was just moved


@torch.no_grad()
def residual_vectors(tokenizer: MultiScaleVQVAE, features: Tensor) -> Tensor:
    """Vectors that the codes of each scale approximate if coarser scales are exact: (M, D)."""
    quantizer = tokenizer.quantizer
    latent = torch.zeros_like(features)
    residuals = []
    for scale_index, shape in enumerate(quantizer.schedule.shapes):
        residual = quantizer.next_input(features - latent, scale_index)  # (B, N, D)
        residuals.append(residual.flatten(0, 1))
        codes = residual.transpose(1, 2).unflatten(2, shape)
        latent = quantizer.add_scale(latent, codes, scale_index)
    return torch.cat(residuals)


@torch.no_grad()
def start_codes(tokenizer: MultiScaleVQVAE, images: Tensor, generator: Generator) -> None:
    """Fit the quantizer to encoded pictures, before codes are used for the first time.

    A codebook takes vectors that the pictures leave at each scale. Binary codes all have length
    one, so each refine convolution takes the least-squares factor of the first scale it serves.

    Args:
        tokenizer: tokenizer whose quantizer is changed in place.
        images: (B, 3, H, W) in [-1, 1], or clips (B, 3, F, H, W).
        generator: source of randomness, the same in all processes.
    """
    quantizer = tokenizer.quantizer
    features = torch.cat(
        [tokenizer.encode_features(some) for some in images.split(PICTURES_AT_ONCE)]
    )
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
def scale_refine(quantizer: MultiScaleQuantizer, choice: int, gain: float) -> None:
    """Set a refine convolution to a multiple of the identity, so that its step has a gain."""
    ratio = quantizer.refine_ratio
    weight = cast(nn.Conv2d, quantizer.refine[choice]).weight
    nn.init.dirac_(weight)
    weight.mul_((gain - (1 - ratio)) / ratio)


class CodebookCare:
    """Counts how often each code is used and moves unused codes to where pictures are.

    Args:
        tokenizer: tokenizer whose codebook is changed in place.
        settings: settings of the run.
        accelerator: the run's processes.
        average: averaged weights of the tokenizer.
        optimizer: optimizer of the tokenizer.

    Attributes:
        counts: (K, V) float32, uses of each code at each scale per step; old batches fade.
        last_used: (K, V) int32, the step that used each code at each scale last.
        restarted: codes that were restarted since the last line of the log.
    """

    def __init__(
        self,
        tokenizer: MultiScaleVQVAE,
        settings: TokenizerSettings,
        accelerator: Accelerator,
        average: ExponentialAverage,
        optimizer: Optimizer,
    ) -> None:
        self.tokenizer = tokenizer
        self.settings = settings
        self.accelerator = accelerator
        self.average = average
        self.optimizer = optimizer
        quantizer, device = tokenizer.quantizer, accelerator.device
        shape = quantizer.schedule.num_scales, quantizer.vocab_size
        self.counts = torch.zeros(shape, device=device)
        self.last_used = torch.full(shape, -WINDOW, dtype=torch.int32, device=device)
        self.restarted = 0

    def tensors(self) -> dict[str, Tensor]:
        """What is needed to resume."""
        return {"usage": self.counts, "last_used": self.last_used}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` returned."""
        self.counts.copy_(tensors["usage"])
        if "last_used" in tensors:  # not kept by old versions
            self.last_used.copy_(tensors["last_used"])

    def figures(self, step: int) -> dict[str, Any]:
        """Usage of the codes in the last 100 steps, and codes that were restarted.

        A code that is used no more leaves the figures, so a collapse shows.

        Args:
            step: steps done.
        """
        in_window = self.last_used > step - WINDOW
        figures = usage_figures(self.counts * in_window)
        restarted, self.restarted = self.restarted, 0
        return {**figures, "restarted": restarted}

    def after_step(
        self, quantization: Quantization, features: Tensor, step: int, total_steps: int
    ) -> None:
        """Count the codes of a batch, and restart unused codes if it is time.

        Args:
            quantization: codes of the batch.
            features: features of the batch before quantization, (B, D, H, W).
            step: steps done, this one included.
            total_steps: steps of the whole run.
        """
        self.count(quantization, step)
        if self.is_restart_due(step, total_steps):
            features = cast(Tensor, self.accelerator.gather(features))[:RESTART_PICTURES]
            vectors = residual_vectors(self.tokenizer, features)
            generator = step_generator(self.settings.seed, step, -1)
            self.restarted += self.restart(vectors, generator)

    def count(self, quantization: Quantization, step: int) -> None:
        """Add one batch of every process to the running count."""
        counts = count_codes(quantization.token_maps, self.counts.shape[1])
        counts = cast(Tensor, self.accelerator.reduce(counts, "sum"))
        self.counts.mul_(0.99).add_(counts, alpha=0.01)
        self.last_used.masked_fill_(counts > 0, step)

    def is_restart_due(self, step: int, total_steps: int) -> bool:
        """Whether unused codes are moved after a step; never near the end of the run."""
        return (
            isinstance(self.tokenizer.quantizer, VectorQuantizer)
            and not self.settings.decoder_only
            and step > self.settings.time_steps
            and step % self.settings.restart_every == 0
            and step < self.settings.restart_until * total_steps
        )

    @torch.no_grad()
    def restart(self, vectors: Tensor, generator: Generator) -> int:
        """Move unused codes to where pictures are; returns how many.

        A moved code begins anew: its average is what it is now, and the optimizer forgets the
        gradients of the code that was there before.

        Args:
            vectors: result of `residual_vectors`, the same in all processes.
            generator: source of randomness, the same in all processes.
        """
        vectors = vectors[vectors.isfinite().all(dim=1)]  # of a step that was skipped, none
        codes = codebook_of(self.tokenizer.quantizer).weight
        dead = (self.counts.sum(dim=0) < DEAD_BELOW).nonzero().squeeze(1)
        chosen = torch.randperm(len(vectors), generator=generator)[: len(dead)].to(dead.device)
        dead = dead[: len(chosen)]
        codes[dead] = vectors[chosen].to(codes)
        self.average.tensors["quantizer.codebook.weight"][dead] = codes[dead].float()
        forget_rows(self.optimizer, codes, dead)
        self.counts[:, dead] = FRESH / len(self.counts)
        return len(dead)


def codebook_of(quantizer: MultiScaleQuantizer) -> nn.Embedding:
    """The codebook of a quantizer that has one."""
    assert isinstance(quantizer, VectorQuantizer), "binary codes have no codebook"
    return quantizer.codebook


def count_codes(token_maps: Sequence[Tensor], vocab_size: int) -> Tensor:
    """How often each code occurs at each scale: K maps (B, S, S) -> (K, V) float32."""
    counts = torch.zeros(len(token_maps), vocab_size, device=token_maps[0].device)
    for row, token_map in zip(counts, token_maps, strict=True):
        tokens = token_map.flatten()  # `bincount` would wait for the device
        row.index_add_(0, tokens, torch.ones_like(tokens, dtype=counts.dtype))
    return counts


def usage_figures(counts: Tensor) -> dict[str, float | list[float]]:
    """Figures of how much of a vocabulary is used.

    Args:
        counts: (K, V), occurrences of each code at each scale.

    Returns:
        `codes_used`: part of the codes that occur at all; `codes_used_per_scale`;
        `entropy_bits_per_scale`: entropy of the codes of each scale, at most log2 V.
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
