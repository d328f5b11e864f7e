"""Random changes of pictures that keep what they show."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.loop.picture_random import PictureRandom

KINDS = ("auto", "white", "crop", "none")
KINDS_HELP = (
    "white: zoom and shift on white; crop: enlarge squares from within; auto: white where pictures "
    "lie on white, else crop"
)
WHITE = 250  # smallest of the three channels
WHITE_BORDER = 0.9  # part of the border that is white where a picture lies on white


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed.

    Attributes:
        kind: "white", "crop" or "none", see `move_at_random`; or "auto", which the pictures decide.
        flip: whether half of the pictures are mirrored.
        share: part of the pictures that is moved.
    """

    kind: str = "none"
    flip: bool = False
    share: float = 0.5

    def change(self, images: Tensor, random: PictureRandom) -> Tensor:
        """Mirror, and zoom and shift, at random: (B, 3, H, W) -> (B, 3, H, W)."""
        if self.flip:
            images = random_flip(images, random)
        return move_at_random(images, self.kind, random, self.share, (0.8, 1.1), 0.08)


UNCHANGED = Augmentation()


def lie_on_white(images: np.ndarray) -> bool:
    """Whether most of some pictures, (N, H, W, 3) uint8, lie on white."""
    some = images.min(axis=3)
    border = np.concatenate((some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1]), axis=1)
    is_on_white = (border >= WHITE).mean(axis=1) >= WHITE_BORDER
    return bool(is_on_white.mean() >= 0.5)


def move_at_random(
    images: Tensor,
    kind: str,
    random: PictureRandom,
    chance: float = 1.0,
    zoom: tuple[float, float] = (0.85, 1.05),
    shift: float = 0.06,
) -> Tensor:
    """Zoom and shift a part of the pictures: (B, 3, H, W) -> (B, 3, H, W).

    Args:
        images: (B, 3, H, W) in [-1, 1].
        kind: "white" zooms and shifts on white; "crop" takes squares from within the pictures, so
            that nothing comes in from outside; "none" leaves them as they are.
        random: random numbers of the pictures.
        chance: part of the pictures that is changed.
        zoom: range of the zoom factor on white; the first is the smallest side of a crop.
        shift: largest shift on white as a part of the side.
    """
    if kind == "none":
        return images
    if kind == "crop":
        return random_crop(images, random, chance, zoom[0])
    return random_zoom_shift(images, random, chance, zoom, shift)


def random_flip(images: Tensor, random: PictureRandom) -> Tensor:
    """Mirror half of the pictures: (B, 3, H, W) -> (B, 3, H, W)."""
    flip = random.uniform() < 0.5
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def random_zoom_shift(
    images: Tensor,
    random: PictureRandom,
    chance: float = 1.0,
    zoom: tuple[float, float] = (0.85, 1.05),
    shift: float = 0.06,
) -> Tensor:
    """Zoom and shift a part of the pictures on white.

    Args:
        images: (B, 3, H, W) in [-1, 1].
        random: random numbers of the pictures.
        chance: part of the pictures that is changed.
        zoom: range of the zoom factor.
        shift: largest shift as a part of the side.

    Returns:
        (B, 3, H, W) in [-1, 1]; what comes in from outside is white.
    """
    size = len(images)
    moved = random.uniform() < chance
    factor = random.uniform(low=zoom[0], high=zoom[1])
    offset = random.uniform(2, low=-2 * shift, high=2 * shift)
    theta = torch.zeros(size, 2, 3)
    theta[:, 0, 0] = 1 / factor
    theta[:, 1, 1] = 1 / factor
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    # grid_sample pads with zeros, so white is moved to zero and back
    zoomed = F.grid_sample(images - 1, grid, mode="bicubic", align_corners=False).clamp(-2, 0) + 1
    return torch.where(moved[:, None, None, None], zoomed, images)


def random_crop(
    images: Tensor, random: PictureRandom, chance: float = 1.0, smallest: float = 0.8
) -> Tensor:
    """Enlarge random squares of a part of the pictures: (B, 3, H, W) -> (B, 3, H, W).

    Args:
        images: (B, 3, H, W) in [-1, 1].
        random: random numbers of the pictures.
        chance: part of the pictures that is changed.
        smallest: smallest side of a square, as a part of that of the picture.
    """
    size = len(images)
    moved = random.uniform() < chance
    side = random.uniform(low=smallest)
    place = random.uniform(2, low=-1)
    theta = torch.zeros(size, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = place * (1 - side)[:, None]
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    cropped = F.grid_sample(
        images, grid, mode="bicubic", padding_mode="border", align_corners=False
    )
    return torch.where(moved[:, None, None, None], cropped.clamp(-1, 1), images)
