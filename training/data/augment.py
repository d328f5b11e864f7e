"""Random changes of pictures that keep what they show."""

import torch
import torch.nn.functional as F
from torch import Tensor


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the pictures: (B, 3, H, W) -> (B, 3, H, W)."""
    flip = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def random_zoom_shift(
    images: Tensor,
    generator: torch.Generator,
    chance: float = 1.0,
    zoom: tuple[float, float] = (0.85, 1.05),
    shift: float = 0.06,
) -> Tensor:
    """Zoom and shift a part of the pictures on white.

    Args:
        images: (B, 3, H, W) in [-1, 1].
        generator: source of randomness.
        chance: part of the pictures that is changed.
        zoom: range of the zoom factor.
        shift: largest shift as a part of the side.

    Returns:
        (B, 3, H, W) in [-1, 1]; what comes in from outside is white.
    """
    size = len(images)
    moved = torch.rand(size, generator=generator) < chance
    factor = torch.empty(size).uniform_(*zoom, generator=generator)
    offset = torch.empty(size, 2).uniform_(-2 * shift, 2 * shift, generator=generator)
    theta = torch.zeros(size, 2, 3)
    theta[:, 0, 0] = 1 / factor
    theta[:, 1, 1] = 1 / factor
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    # grid_sample pads with zeros, so white is moved to zero and back
    zoomed = F.grid_sample(images - 1, grid, mode="bicubic", align_corners=False).clamp(-2, 0) + 1
    return torch.where(moved[:, None, None, None], zoomed, images)
