"""A perceptual distance that looks at shapes and textures instead of single pixels.

Seven layers of a SqueezeNet 1.1 (arXiv 1602.07360) trained on ImageNet are compared in the manner
of LPIPS (arXiv 1801.03924). The linear heads were fitted on another copy of SqueezeNet with another
input scaling, so the figures are LPIPS-like: never compare them with published LPIPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

PERCEPTUAL_FILE = "squeezenet.safetensors"

# One row per fire module: input channels, squeezed channels, channels of each expansion.
FIRES = (
    (64, 16, 64),  # fire 2
    (128, 16, 64),  # fire 3
    (128, 32, 128),  # fire 4
    (256, 32, 128),  # fire 5
    (256, 48, 192),  # fire 6
    (384, 48, 192),  # fire 7
    (384, 64, 256),  # fire 8
    (512, 64, 256),  # fire 9
)
POOL_BEFORE = (0, 2, 4)  # positions in FIRES that halve the map first
TAP_AFTER = (1, 3, 4, 5, 6, 7)  # positions in FIRES whose output is compared; the stem is too
TAP_CHANNELS = (64, 128, 256, 384, 384, 512, 512)
MEANS_BGR = (103.939, 116.779, 123.68)  # of pictures from 0 to 255
MIN_SIDE = 17  # the smallest side that leaves a pixel at the last tap without a vanishing window
NORM_FLOOR = 1e-4  # added to the squared norm, which is in the thousands: bounds the gradient at 0


class Fire(nn.Module):
    """Squeeze to few channels, then expand with 1x1 and 3x3 kernels side by side."""

    def __init__(self, channels_in: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels_in, squeezed, 1)
        self.expand_1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand_3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, 2 * expanded, H, W)."""
        squeezed = F.relu(self.squeeze(maps))
        return F.relu(torch.cat([self.expand_1x1(squeezed), self.expand_3x3(squeezed)], dim=1))


class PerceptualDistance(nn.Module):
    """LPIPS-like distance between pictures; frozen, so gradients reach the pictures only.

    A new object has random weights; `load_perceptual` reads the trained ones.
    """

    means: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, TAP_CHANNELS[0], 3, stride=2)
        self.fires = nn.ModuleList(Fire(*row) for row in FIRES)
        self.heads = nn.ParameterList(torch.full((size,), 1.0 / size) for size in TAP_CHANNELS)
        means = torch.tensor(MEANS_BGR).view(1, 3, 1, 1)
        self.register_buffer("means", means, persistent=False)
        self.requires_grad_(False)
        # torch declares no overload for memory formats
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def taps(self, images: Tensor) -> list[Tensor]:
        """Compute the features that are compared.

        Call it under `torch.no_grad()` for references, then hand the result to `compare`.

        Args:
            images: (B, 3, H, W) in [-1, 1], RGB, sides of at least 17.

        Returns:
            Seven maps (B, channels, h, w), finest first, in the dtype of the convolutions.

        Raises:
            ValueError: if the shape is not that of pictures large enough.
        """
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[-2:]) < MIN_SIDE:
            raise ValueError(
                f"pictures must be (B, 3, H, W) with sides of at least {MIN_SIDE}, "
                f"got {tuple(images.shape)}"
            )
        pixels = (images.float() + 1.0) * 127.5
        pixels = pixels.flip(1) - self.means  # RGB -> BGR
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        maps = F.relu(self.stem(pixels))
        taps = [maps]
        for position, fire in enumerate(self.fires):
            if position in POOL_BEFORE:
                maps = F.max_pool2d(maps, 3, stride=2, ceil_mode=True)
            maps = fire(maps)
            if position in TAP_AFTER:
                taps.append(maps)
        return taps

    def compare(self, taps: Sequence[Tensor], reference_taps: Sequence[Tensor]) -> Tensor:
        """Weighted difference between two results of `taps`: -> (B,), float32, 0 = equal."""
        parts = [
            CompareDirections.apply(ours, theirs, head.float())
            for ours, theirs, head in zip(taps, reference_taps, self.heads, strict=True)
        ]
        return torch.stack(parts).sum(dim=0)

    def forward(self, images: Tensor, references: Tensor) -> Tensor:
        """Measure how far pictures look apart: two (B, 3, H, W) in [-1, 1] -> (B,), 0 = equal."""
        return self.compare(self.taps(images), self.taps(references))


def scale_to_unit(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the channel vectors scaled to length 1, and the scales: (B, C, h, w), (B, 1, h, w)."""
    maps = maps.float()
    lengths = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    scales = (lengths.square() + NORM_FLOOR).rsqrt()
    return maps * scales, scales


class CompareDirections(torch.autograd.Function):
    """Weighted squared difference of unit vectors, averaged over pixels: two (B, C, h, w) -> (B,).

    The gradient is written out by hand: left to autograd, these elementwise passes take longer than
    all convolutions. With u = a / |a| and g = 2 * head * (u - v), it is (g - u * (u . g)) / |a|.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, references: Tensor, head: Tensor) -> Tensor:
        """Compare two maps, in float32; `head` has one weight per channel, (C,)."""
        ours, scales = scale_to_unit(maps)
        theirs, reference_scales = scale_to_unit(references)
        difference = ours - theirs
        weighted = difference * head.view(1, -1, 1, 1)
        ctx.save_for_backward(ours, scales, theirs, reference_scales, weighted)
        ctx.dtypes = maps.dtype, references.dtype
        num_pixels = maps.shape[-2] * maps.shape[-1]
        return difference.mul_(weighted).sum(dim=(1, 2, 3)) / num_pixels

    @staticmethod
    @once_differentiable  # it hides the names of the arguments
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        """Gradients of the maps that need one, from one number per picture, (B,)."""
        ours, scales, theirs, reference_scales, weighted = ctx.saved_tensors
        num_pixels = ours.shape[-2] * ours.shape[-1]
        factors = gradients[0].float().view(-1, 1, 1, 1) * (2.0 / num_pixels)
        to_maps = to_references = None
        if ctx.needs_input_grad[0]:
            to_maps = remove_radial(weighted, ours).mul_(scales * factors).to(ctx.dtypes[0])
        if ctx.needs_input_grad[1]:
            factors = -factors * reference_scales
            to_references = remove_radial(weighted, theirs).mul_(factors).to(ctx.dtypes[1])
        return to_maps, to_references, None


def remove_radial(vectors: Tensor, units: Tensor) -> Tensor:
    """Keep the part of `vectors` that is orthogonal to `units`: two (B, C, h, w) -> the same."""
    product = vectors * units
    radial = product.sum(dim=1, keepdim=True)
    return torch.addcmul(vectors, units, radial, value=-1.0)


def load_perceptual(folder: Path | str) -> PerceptualDistance:
    """Read the trained distance from a folder that `training.prepare.nets` filled.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    path = Path(folder) / PERCEPTUAL_FILE
    advice = f"run: python -m training.prepare.nets --out {folder}"
    if not path.is_file():
        raise ValueError(f"the perceptual net {path} is missing; {advice}")
    distance = PerceptualDistance()
    try:
        distance.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"the perceptual net {path} is damaged; delete it and {advice}") from error
    return distance
