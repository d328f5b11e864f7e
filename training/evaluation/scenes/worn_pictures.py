"""Wears pictures as a coder does, so that a judge goes by what people see in them.

What a style looks like survives a little blur, a smaller size, a lossy file. The texture of single
pixels does not, and no tokenizer keeps it.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from training.loop.picture_random import PictureRandom

SIZES = (0.67, 0.5, 0.4)  # of a picture that is shrunk and stretched again, over its own
BLUR = (0.5, 1.5)  # standard deviation of the blur in pixels
LOSS = (0.2, 2.0)  # step of the cosine coefficients, over that of a JPEG file of quality 50
PATTERN = 0.06  # largest standard deviation of a pattern of large spots, of pictures in [-1, 1]
SHIFT = 0.06  # largest shift of a colour
REACH = 4  # pixels at each side that a blur reaches
BLOCK = 8  # pixels a side of a block with coefficients of its own
CELL = 16  # pixels a side of a spot
OFTEN = 0.6  # part of the worn pictures that one of the changes is made in

Wear = Callable[[Tensor, PictureRandom], Tensor]


def wear(images: Tensor, random: PictureRandom, part: float) -> Tensor:
    """Wear some of the pictures.

    Args:
        images: (B, 3, H, W) in [-1, 1].
        random: numbers of these pictures.
        part: part of the pictures that are worn, 0 to 1.

    Returns:
        (B, 3, H, W) in [-1, 1]; the other pictures are as they were.
    """
    is_worn = random.uniform(1, 1, 1) < part
    worn = images
    for change in CHANGES:
        is_made = random.uniform(1, 1, 1) < OFTEN
        worn = torch.where(is_made, change(worn, random), worn)
    return torch.where(is_worn, worn.clamp(-1.0, 1.0), images)


def shrink(images: Tensor, random: PictureRandom) -> Tensor:
    """Shrink pictures (B, 3, H, W) to one of `SIZES`, and stretch them again."""
    chosen, changed = random.integers(len(SIZES), 1, 1, 1), images
    for number, size in enumerate(SIZES):
        height, width = (max(1, round(side * size)) for side in images.shape[2:])
        small = F.interpolate(images, (height, width), mode="bilinear", antialias=True)
        again = F.interpolate(small, images.shape[2:], mode="bilinear")
        changed = torch.where(chosen == number, again, changed)
    return changed


def blur(images: Tensor, random: PictureRandom) -> Tensor:
    """Blur pictures (B, 3, H, W) by Gaussian kernels of a width of their own."""
    batch, channels, height, width = images.shape
    deviation = random.uniform(1, low=BLUR[0], high=BLUR[1])  # (B, 1)
    places = torch.arange(-REACH, REACH + 1)
    kernel = torch.exp(-0.5 * (places / deviation) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    padded = F.pad(images, (REACH,) * 4, mode="replicate").flatten(0, 1)[None]  # (1, 3B, h, w)
    rows = F.conv2d(padded, kernel[:, None, None], groups=len(kernel))
    both = F.conv2d(rows, kernel[:, None, :, None], groups=len(kernel))
    return both.view(batch, channels, height, width)


def store_with_loss(images: Tensor, random: PictureRandom) -> Tensor:
    """Round the cosine coefficients of blocks, fine ones the most: (B, 3, H, W), as in JPEG."""
    height, width = images.shape[2:]
    padded = F.pad(images, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    blocks = padded.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)  # (B, 3, y, x, 8, 8)
    basis = cosine_basis()
    order = torch.arange(BLOCK)
    # near the luminance table of JPEG's quality 50, whose steps go from 10 to 120 of 128
    usual = 0.08 + 0.05 * (order[:, None] + order)
    step = random.uniform(1, 1, 1, 1, 1, low=LOSS[0], high=LOSS[1]) * usual
    rounded = (basis @ blocks @ basis.T / step).round() * step
    again = (basis.T @ rounded @ basis).transpose(3, 4).reshape(padded.shape)
    return again[..., :height, :width]


def cosine_basis() -> Tensor:
    """The orthonormal cosines of a block, (8, 8): a row for each frequency."""
    places, order = torch.arange(BLOCK) + 0.5, torch.arange(BLOCK)
    basis = torch.cos(math.pi / BLOCK * order[:, None] * places) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis


def shift_colours(images: Tensor, random: PictureRandom) -> Tensor:
    """Add a pattern of large soft spots, and a little of one colour: (B, 3, H, W)."""
    height, width = images.shape[2:]
    spots = random.normal(3, -(-height // CELL), -(-width // CELL))
    pattern = F.interpolate(spots, (height, width), mode="bilinear")
    strength = random.uniform(1, 1, 1, high=PATTERN)
    return images + strength * pattern + random.uniform(3, 1, 1, low=-SHIFT, high=SHIFT)


CHANGES: tuple[Wear, ...] = (shrink, blur, store_with_loss, shift_colours)
