"""The discriminator of the adversary, its losses, and the augmentation before it."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from training.loop.picture_random import PictureRandom

NORM_GROUPS = 16
MAX_ADAPTIVE = 1e4


class PatchDiscriminator(nn.Module):
    """Tells real from rebuilt patches (PatchGAN, arXiv 1611.07004, with GroupNorm).

    Args:
        channels: width after the first convolution, a multiple of 16; doubled twice.
    """

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 4, 2, 1, bias=False),
                nn.GroupNorm(NORM_GROUPS, after),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Scores of patches, positive for real: (B, 3, H, W) -> (B, 1, H/8, W/8), float32."""
        return self.layers(images).float()


@torch.no_grad()
def init_discriminator(discriminator: PatchDiscriminator, generator: Generator) -> None:
    """Initialise in place: normal weights with deviation 0.02, as in DCGAN."""
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def hinge_loss(real: Tensor, rebuilt: Tensor) -> Tensor:
    """Loss of the adversary, from its scores of real and rebuilt patches."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + rebuilt).mean())


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_weight: Tensor) -> Tensor:
    """Factor that makes the adversary's gradient at the last layer as long as that of the rest.

    Args:
        reconstruction: scalar with graph.
        adversarial: scalar with graph.
        last_weight: parameter of the last layer of the decoder.

    Returns:
        A scalar without gradient, at most 10,000 (arXiv 2012.09841, eq. 7).
    """
    ours = torch.autograd.grad(reconstruction, last_weight, retain_graph=True)[0]
    theirs = torch.autograd.grad(adversarial, last_weight, retain_graph=True)[0]
    return (ours.norm() / (theirs.norm() + 1e-4)).clamp(max=MAX_ADAPTIVE).detach()


def augment_alike(images: Tensor, random: PictureRandom) -> Tensor:
    """Augment with gradients: colour, shift and cutout (DiffAug, arXiv 2006.10738).

    Args:
        images: (B, 3, H, W) in [-1, 1].
        random: random numbers of the pictures.

    Returns:
        (B, 3, H, W); pixels from outside and pixels cut out are zero.
    """
    size, side = len(images), images.shape[-1]
    draws = random.uniform(3, 1, 1, 1).transpose(0, 1).to(images)
    images = images + draws[0] - 0.5
    mean = images.mean(dim=1, keepdim=True)
    images = mean + (images - mean) * (2 * draws[1])
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (0.5 + draws[2])
    reach = side // 8
    shifts = random.integers(2 * reach + 1, 2, 1).transpose(0, 1) - reach
    corners = random.integers(3 * side // 4 + 1 + side // 4, 2, 1).transpose(0, 1) - side // 4
    places = torch.arange(side)
    rows, columns = (places + shift for shift in shifts)  # (B, S) each
    inside = _outer(_is_within(rows, side), _is_within(columns, side))
    cut_rows, cut_columns = (
        (places >= corner) & (places < corner + side // 2) for corner in corners
    )
    kept = (inside & ~_outer(cut_rows, cut_columns)).unsqueeze(1).to(images.device)
    rows, columns = (index.clamp(0, side - 1).to(images.device) for index in (rows, columns))
    picture = torch.arange(size, device=images.device).view(-1, 1, 1)
    moved = images.permute(0, 2, 3, 1)[picture, rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2) * kept


def _is_within(index: Tensor, side: int) -> Tensor:
    return (index >= 0) & (index < side)


def _outer(rows: Tensor, columns: Tensor) -> Tensor:
    return rows.unsqueeze(2) & columns.unsqueeze(1)
