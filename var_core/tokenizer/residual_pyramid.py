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
from var_core.scales import ScaleSchedule
from var_core.tokenizer.exact import Exact
from var_core.tokenizer.frames import fold_frames, stretch, unfold_frames


@dataclass(frozen=True)
class Quantization:
    """Features explained scale by scale.

    Attributes:
        token_maps: K tensors (B, h, w) int64, coarse to fine; (B, t, h, w) of a clip's scales.
        latents: K tensors (B, D, H, W) float32, the sum of scales up to and including each one;
            (B, D, T, H, W) of clips.
    """

    token_maps: list[Tensor]
    latents: list[Tensor]

    @property
    def latent(self) -> Tensor:
        """The sum over all scales, as one of `latents`."""
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


def enlarge(maps: Tensor, shape: Sequence[int]) -> Tensor:
    """Bicubic interpolation: (B, D, h, w) float32 -> (B, D, H, W), which `shape` gives.

    Of clips (B, D, t, h, w) each frame by itself, then linear in time: -> (B, D, T, H, W).
    On a GPU as two products, since the kernel there computes all maps one after another.
    """
    if maps.ndim == 5:
        frames = enlarge(fold_frames(maps), shape[1:])
        return stretch(unfold_frames(frames, len(maps)), shape[0])
    if maps.device.type == "cpu":
        return F.interpolate(maps, size=tuple(shape), mode="bicubic")
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


class MultiScaleQuantizer(Exact, ABC):
    """The residual pyramid over scales (arXiv 2404.02905, Alg. 1 and 2), whatever the codes are.

    Weights and arithmetic are float32 whatever the dtype of the rest: sums over scales must not
    drift.
    A subclass says what the V codes are and which one is the nearest.

    Of a clip, the picture's scales explain the first frame, and with it all frames as if nothing
    moved; the clip's scales add what is different in the frames after the first. So the first
    frame is that of a picture, bit for bit, whatever follows.

    Args:
        schedule: shapes of the token maps.
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
        self.refine_time = nn.ModuleList(
            nn.Conv2d(code_dim, code_dim, kernel_size=(3, 1), padding=(1, 0))
            for _ in range(num_refine * schedule.is_clip)
        )

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def empty_latent(self, batch_size: int) -> Tensor:
        """The latent before any scale: zeros (B, D, H, W), or (B, D, T, H, W), float32."""
        shape = (batch_size, self.code_dim, *self.schedule.latent_shape)
        return torch.zeros(shape, dtype=torch.float32, device=self.device)

    @abstractmethod
    def code_vectors(self) -> Tensor:
        """All codes, (V, D) float32."""

    @abstractmethod
    def embed(self, token_map: Tensor) -> Tensor:
        """Look up code vectors: (B, ...) int64 -> (B, D, ...) float32."""

    @abstractmethod
    def nearest_tokens(self, codes: Tensor) -> Tensor:
        """Index of the nearest code by Euclidean distance: (B, D, ...) -> (B, ...) int64."""

    def entropy_loss(self, features: Tensor, quantization: Quantization) -> Tensor:
        """Loss that keeps all codes in use, a scalar; zero where the trainer replaces them."""
        return features.new_zeros(())

    def add_scale(self, latent: Tensor, codes: Tensor, scale_index: int) -> Tensor:
        """Add one scale's codes to the running latent.

        Args:
            latent: sum over the coarser scales, (B, D, H, W) or (B, D, T, H, W), float32.
            codes: code vectors of this scale, (B, D, h, w) or (B, D, t, h, w).
            scale_index: position in the schedule; 0 is the coarsest scale.

        Returns:
            A new tensor like `latent`, which itself is left unchanged.

        Raises:
            ValueError: if the shape of `codes` is not the one the schedule gives for this scale.
        """
        shape = self.schedule.shapes[scale_index]
        if codes.shape[2:] != shape:
            wanted = "x".join(map(str, shape))
            raise ValueError(f"scale {scale_index} is {wanted}, got {tuple(codes.shape[2:])}")
        upsampled = enlarge(codes.float(), self.schedule.shapes[-1][-codes.ndim + 2 :])
        share = torch.lerp(upsampled, self._refined(upsampled, scale_index), self.refine_ratio)
        if latent.ndim == share.ndim == 4:
            return latent + share
        if share.ndim == 4:  # the first frame, and all others like it
            return latent + share.unsqueeze(2)
        return torch.cat((latent[:, :, :1], latent[:, :, 1:] + share), dim=2)

    def _refined(self, upsampled: Tensor, scale_index: int) -> Tensor:
        """A scale's refine convolution, and of clips the one in time."""
        index = self.refine_of_scale[scale_index]
        if upsampled.ndim == 4:
            return _convolved(upsampled, self.refine[index])
        frames = _convolved(fold_frames(upsampled), self.refine[index])
        lines = unfold_frames(frames, len(upsampled)).flatten(3)  # (B, D, T - 1, H W)
        return _convolved(lines, self.refine_time[index]).view_as(upsampled)

    def next_input(self, latent: Tensor, scale_index: int) -> Tensor:
        """What the transformer sees of the coarser scales before it predicts one scale.

        Args:
            latent: sum over the scales before `scale_index`, (B, D, H, W) or (B, D, T, H, W).
            scale_index: the scale about to be predicted.

        Returns:
            The latent averaged down to that scale's shape, (B, N, D) with N = t h w.
        """
        pooled = self.pool(latent, scale_index)
        return pooled.flatten(2).transpose(1, 2)

    def encode(self, features: Tensor) -> Quantization:
        """Explain features scale by scale, each scale taking the nearest codes of what is left.

        Args:
            features: encoder output, (B, D, H, W), or (B, D, T, H, W) of clips.

        Returns:
            Token maps and running latents of all scales; for a picture, those of the picture's.
        """
        features = features.float()
        latent = torch.zeros_like(features)
        token_maps, latents = [], []
        schedule = self.schedule
        number = schedule.num_picture_scales if features.ndim == 4 else schedule.num_scales
        for scale_index in range(number):
            residual = self.pool((features - latent).detach(), scale_index)  # (B, D, ...)
            token_map = self.nearest_tokens(residual)
            latent = self.add_scale(latent, self.embed(token_map), scale_index)
            token_maps.append(token_map)
            latents.append(latent)
        return Quantization(token_maps, latents)

    def sum_scales(self, token_maps: Sequence[Tensor]) -> list[Tensor]:
        """Running latents of token maps, coarse to fine; a prefix of the scales will do.

        Args:
            token_maps: up to K tensors (B, h, w), or (B, t, h, w), int64.

        Returns:
            As many latents as `empty_latent` makes, each including all coarser scales.
        """
        latent = self.empty_latent(token_maps[0].shape[0])
        latents = []
        for scale_index, token_map in enumerate(token_maps):
            latent = self.add_scale(latent, self.embed(token_map), scale_index)
            latents.append(latent)
        return latents

    def teacher_inputs(self, token_maps: Sequence[Tensor]) -> Tensor:
        """Next-scale inputs for teacher forcing.

        Args:
            token_maps: tokens of all scales, or of the first k, as for `sum_scales`.

        Returns:
            Those of scales 2 to k, (B, M - N_1, D).
        """
        if len(token_maps) == 1:
            batch_size = len(token_maps[0])
            return self.empty_latent(batch_size).new_zeros(batch_size, 0, self.code_dim)
        latents = enumerate(self.sum_scales(token_maps[:-1]), start=1)
        return torch.cat([self.next_input(latent, index) for index, latent in latents], dim=1)

    def commitment_loss(self, features: Tensor, quantization: Quantization, beta: float) -> Tensor:
        """Pull codes to features and, with weight `beta`, features to codes; mean over scales.

        Args:
            features: encoder output with gradient, as for `encode`.
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
        """Average down to the shape of a scale.

        Args:
            maps: (B, D, H, W), or (B, D, T, H, W) of clips.
            scale_index: the scale; those of a picture take the first frame, others those after it.

        Returns:
            (B, D, h, w), or (B, D, t, h, w) of a clip's scales.
        """
        shape = self.schedule.shapes[scale_index]
        if maps.ndim == 5:
            maps = maps[:, :, 1:] if len(shape) == 3 else maps[:, :, 0]
        return F.interpolate(maps, size=shape, mode="area")


def _convolved(maps: Tensor, conv: nn.Module) -> Tensor:
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    return convolve(maps, conv.weight.float(), conv.bias.float())
