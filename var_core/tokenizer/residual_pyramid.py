"""The residual pyramid over scales: the one step that serves encoding, training and sampling.

Its quantizers, subclasses that say what the codes are, are in `quantizers.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.packing import convolve
from var_core.scales import MapShape, ScaleSchedule


@dataclass(frozen=True)
class Quantization:
    """Features explained scale by scale.

    Attributes:
        token_maps: K tensors (B, h, w) int64, coarse to fine.
        latents: K tensors (B, D, H, W) float32, the sum of scales up to and including each one.
    """

    token_maps: list[Tensor]
    latents: list[Tensor]

    @property
    def latent(self) -> Tensor:
        """The sum over all scales, (B, D, H, W)."""
        return self.latents[-1]


def refine_choice(schedule: ScaleSchedule, num_refine: int) -> tuple[int, ...]:
    """Which of the shared refine convolutions serves each scale.

    The convolutions sit at evenly spread ticks on [0, 1]; a scale takes the nearest tick. With four
    convolutions the outer ticks are 1/12 and 11/12, else 1/(2P) from the ends.
    """
    margin = 1 / (3 * num_refine) if num_refine == 4 else 1 / (2 * num_refine)
    # numpy's float64 rounding decides the near-ties, as in the published models
    ticks = np.linspace(margin, 1 - margin, num_refine)
    progress = [schedule.progress(index) for index in range(schedule.num_scales)]
    return tuple(int(np.abs(ticks - position).argmin()) for position in progress)


def enlarge(maps: Tensor, shape: MapShape) -> Tensor:
    """Bicubic interpolation: (B, D, h, w) float32 -> (B, D, H, W), which `shape` gives.

    On a GPU as two products, since the kernel there computes all maps one after another.
    """
    if maps.device.type == "cpu":
        return F.interpolate(maps, size=shape, mode="bicubic")
    down, across = (
        bicubic_weights(old, new, maps.device)
        for old, new in zip(maps.shape[-2:], shape, strict=True)
    )
    return ((maps @ across).transpose(2, 3) @ down).transpose(2, 3)


@lru_cache(maxsize=64)
def bicubic_weights(side: int, new_side: int, device: torch.device) -> Tensor:
    """How much of each old position every new one gets, (side, new_side), float32."""
    with torch.inference_mode(False):  # they are kept, also for calls with gradients
        lines = torch.eye(side, dtype=torch.float32, device="cpu").view(side, 1, side, 1)
        return F.interpolate(lines, size=(new_side, 1), mode="bicubic").flatten(1).to(device)


class MultiScaleQuantizer(nn.Module, ABC):
    """The residual pyramid over scales (arXiv 2404.02905, Alg. 1 and 2), whatever the codes are.

    All arithmetic is float32 whatever the dtype of the weights: sums over scales must not drift.
    A subclass says what the V codes are and which one is the nearest.

    Args:
        schedule: shapes of the token maps; the last one is that of the latent.
        vocab_size: number V of codes.
        code_dim: width D of a code.
        num_refine: number of 3x3 refine convolutions shared by the scales.
        refine_ratio: weight of the convolution against its own input, in [0, 1].
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        vocab_size: int,
        code_dim: int,
        num_refine: int = 4,
        refine_ratio: float = 0.5,
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.vocab_size = vocab_size
        self.code_dim = code_dim
        self.refine_ratio = refine_ratio
        self.refine_of_scale = refine_choice(schedule, num_refine)
        self.refine = nn.ModuleList(
            nn.Conv2d(code_dim, code_dim, kernel_size=3, padding=1) for _ in range(num_refine)
        )

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def empty_latent(self, batch_size: int) -> Tensor:
        """The latent before any scale: zeros (B, D, H, W), float32."""
        shape = (batch_size, self.code_dim, *self.schedule.final_shape)
        return torch.zeros(shape, dtype=torch.float32, device=self.device)

    @abstractmethod
    def code_vectors(self) -> Tensor:
        """All codes, (V, D) float32."""

    @abstractmethod
    def embed(self, token_map: Tensor) -> Tensor:
        """Look up code vectors: (B, h, w) int64 -> (B, D, h, w) float32."""

    @abstractmethod
    def nearest_tokens(self, codes: Tensor) -> Tensor:
        """Index of the nearest code by Euclidean distance: (B, D, h, w) -> (B, h, w) int64."""

    def entropy_loss(self, features: Tensor, quantization: Quantization) -> Tensor:
        """Loss that keeps all codes in use, a scalar; zero where the trainer replaces them."""
        return features.new_zeros(())

    def add_scale(self, latent: Tensor, codes: Tensor, scale_index: int) -> Tensor:
        """Add one scale's codes to the running latent.

        Args:
            latent: sum over the coarser scales, (B, D, H, W), float32.
            codes: code vectors of this scale, (B, D, h, w).
            scale_index: position in the schedule; 0 is the coarsest scale.

        Returns:
            A new (B, D, H, W) tensor; `latent` itself is left unchanged.

        Raises:
            ValueError: if the shape of `codes` is not the one the schedule gives for this scale.
        """
        height, width = self.schedule.shapes[scale_index]
        if codes.shape[-2:] != (height, width):
            raise ValueError(
                f"scale {scale_index} is {height}x{width}, got {tuple(codes.shape[-2:])}"
            )
        upsampled = enlarge(codes.float(), self.schedule.final_shape)
        conv = self.refine[self.refine_of_scale[scale_index]]
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        refined = convolve(upsampled, conv.weight.float(), conv.bias.float())
        return latent + torch.lerp(upsampled, refined, self.refine_ratio)

    def next_input(self, latent: Tensor, scale_index: int) -> Tensor:
        """What the transformer sees of the coarser scales before it predicts one scale.

        Args:
            latent: sum over the scales before `scale_index`, (B, D, H, W).
            scale_index: the scale about to be predicted.

        Returns:
            The latent averaged down to that scale's shape, (B, N, D) with N = h w.
        """
        pooled = self.pool(latent, scale_index)
        return pooled.flatten(2).transpose(1, 2)

    def encode(self, features: Tensor) -> Quantization:
        """Explain features scale by scale, each scale taking the nearest codes of what is left.

        Args:
            features: encoder output, (B, D, H, W).

        Returns:
            Token maps and running latents of all scales.
        """
        features = features.float()
        latent = torch.zeros_like(features)
        token_maps, latents = [], []
        for scale_index in range(self.schedule.num_scales):
            residual = self.pool((features - latent).detach(), scale_index)  # (B, D, h, w)
            token_map = self.nearest_tokens(residual)
            latent = self.add_scale(latent, self.embed(token_map), scale_index)
            token_maps.append(token_map)
            latents.append(latent)
        return Quantization(token_maps, latents)

    def sum_scales(self, token_maps: Sequence[Tensor]) -> list[Tensor]:
        """Running latents of token maps, coarse to fine; a prefix of the scales will do.

        Args:
            token_maps: up to K tensors (B, h, w) int64.

        Returns:
            As many latents (B, D, H, W), float32, each including all coarser scales.
        """
        latent = self.empty_latent(token_maps[0].shape[0])
        latents = []
        for scale_index, token_map in enumerate(token_maps):
            latent = self.add_scale(latent, self.embed(token_map), scale_index)
            latents.append(latent)
        return latents

    def teacher_inputs(self, token_maps: Sequence[Tensor]) -> Tensor:
        """Next-scale inputs of scales 2 to K for teacher forcing: (B, L - N_1, D)."""
        latents = self.sum_scales(token_maps[:-1]) if self.schedule.num_scales > 1 else []
        if not latents:
            return self.empty_latent(len(token_maps[0])).new_zeros(
                len(token_maps[0]), 0, self.code_dim
            )
        return torch.cat(
            [self.next_input(latent, index) for index, latent in enumerate(latents, start=1)], dim=1
        )

    def commitment_loss(self, features: Tensor, quantization: Quantization, beta: float) -> Tensor:
        """Pull codes to features and, with weight `beta`, features to codes; mean over scales.

        Args:
            features: encoder output with gradient, (B, D, H, W).
            quantization: what `encode` returned for it, with gradient into codebook and refine.
            beta: weight of the commitment of the encoder, at least 0.

        Returns:
            A scalar (arXiv 2404.02905, eq. 5, first and second term).
        """
        features = features.float()
        losses = [
            F.mse_loss(latent, features.detach()) + beta * F.mse_loss(features, latent.detach())
            for latent in quantization.latents
        ]
        return torch.stack(losses).mean()

    def pool(self, maps: Tensor, scale_index: int) -> Tensor:
        """Average down to the shape of a scale: (B, D, H, W) -> (B, D, h, w)."""
        return F.interpolate(maps, size=self.schedule.shapes[scale_index], mode="area")
