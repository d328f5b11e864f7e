"""The convolutional halves of the tokenizer, after VQGAN (arXiv 2012.09841)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.packing import Packable
from var_core.tokenizer.exact import ExactConv2d
from var_core.tokenizer.rerun import Rerun

NORM_EPS = 1e-6


def _silu(fresh: Tensor) -> Tensor:
    """SiLU of a tensor that is not used elsewhere; in place where no gradient needs it."""
    return F.silu(fresh, inplace=not torch.is_grad_enabled())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each behind GroupNorm and SiLU, around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(norm_groups, in_channels, eps=NORM_EPS)
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.norm2 = nn.GroupNorm(norm_groups, out_channels, eps=NORM_EPS)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, kernel_size=1)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        hidden = self.conv1(_silu(self.norm1(maps)))
        hidden = self.conv2(_silu(self.norm2(hidden)))
        if torch.is_grad_enabled():
            return self.shortcut(maps) + hidden
        return hidden.add_(self.shortcut(maps))


class AttentionBlock(nn.Module):
    """Single-head self-attention over all positions of a map."""

    def __init__(self, channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_groups, channels, eps=NORM_EPS)
        self.qkv = nn.Conv2d(channels, 3 * channels, kernel_size=1)
        self.proj = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        height, width = maps.shape[-2:]
        tokens = self.qkv(self.norm(maps)).permute(0, 2, 3, 1).flatten(1, 2)  # (B, HW, 3C)
        q, k, v = tokens.unsqueeze(1).chunk(3, dim=-1)  # (B, 1, HW, C) each
        mixed = F.scaled_dot_product_attention(q, k, v).squeeze(1)  # (B, HW, C)
        return maps + self.proj(mixed.transpose(1, 2).unflatten(2, (height, width)))


class Downsample(nn.Module):
    """Halve the sides: 3x3 convolution of stride 2, padded at the right and bottom only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/2, W/2)."""
        return self.conv(F.pad(maps, (0, 1, 0, 1)))


class Upsample(Packable):
    """Double the sides: nearest neighbour, then a 3x3 convolution.

    Packed, both are one transposed 4x4 convolution of stride 2: of the nine taps that an output
    has, those on the same input are summed beforehand, which leaves four.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.folded: Tensor | None = None  # (C, C, 4, 4), not a weight of its own

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        folded = self.folded  # once: another thread may unpack
        if folded is None:
            return self.conv(F.interpolate(maps, scale_factor=2.0, mode="nearest"))
        return F.conv_transpose2d(maps, folded, self.conv.bias, stride=2, padding=1)

    @property
    def is_packed(self) -> bool:
        """As `Packable.is_packed`."""
        return self.folded is not None

    def pack(self) -> None:
        """As `Packable.pack`."""
        if self.folded is None:
            turned = self.conv.weight.float().flip(2, 3).transpose(0, 1)
            shifts = ((0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 1, 0))
            folded = F.pad(turned, (0, 1, 0, 1))
            for shift in shifts:
                folded = folded + F.pad(turned, shift)
            self.folded = folded.to(self.conv.weight.dtype)

    def unpack(self) -> None:
        """As `Packable.unpack`."""
        self.folded = None


class Level(Rerun):
    """Residual blocks at one resolution, each followed by attention if asked for."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_blocks: int,
        norm_groups: int,
        with_attention: bool,
        resample: nn.Module | None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(in_channels if index == 0 else out_channels, out_channels, norm_groups)
            for index in range(num_blocks)
        )
        self.attentions = nn.ModuleList(
            AttentionBlock(out_channels, norm_groups) for _ in range(num_blocks * with_attention)
        )
        self.resample = nn.Identity() if resample is None else resample

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H', W')."""
        for index, block in enumerate(self.blocks):
            maps = self.run(block, maps)
            if len(self.attentions) > 0:
                maps = self.run(self.attentions[index], maps)
        return self.resample(maps)


class HeadLevel(Rerun):
    """Double the sides by a pixel shuffle, then one residual block at the finer resolution."""

    def __init__(self, in_channels: int, out_channels: int, norm_groups: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(in_channels, 4 * out_channels, kernel_size=3, padding=1)
        self.block = ResidualBlock(out_channels, out_channels, norm_groups)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, 2H, 2W)."""
        return self.run(self.block, F.pixel_shuffle(self.expand(maps), 2))


class Middle(Rerun):
    """Block, attention, block at the coarsest resolution."""

    def __init__(self, channels: int, norm_groups: int, with_attention: bool) -> None:
        super().__init__()
        self.block_in = ResidualBlock(channels, channels, norm_groups)
        self.attention = AttentionBlock(channels, norm_groups) if with_attention else nn.Identity()
        self.block_out = ResidualBlock(channels, channels, norm_groups)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        for part in (self.block_in, self.attention, self.block_out):
            maps = self.run(part, maps)
        return maps


class Encoder(nn.Module):
    """Pixels to features.

    Args:
        level_channels: width of each level, fine to coarse; each level but the last halves sides.
        code_dim: channels of the features.
        num_blocks: residual blocks per level.
        norm_groups: groups of the normalisation; divides every width.
        stem_patch: side of the pixel squares folded into channels first; 1 keeps the pixels.
        level_attention: attention after each block of the coarsest level.
        middle_attention: attention between the two middle blocks.
    """

    def __init__(
        self,
        level_channels: Sequence[int],
        code_dim: int,
        num_blocks: int,
        norm_groups: int,
        stem_patch: int,
        level_attention: bool,
        middle_attention: bool,
    ) -> None:
        super().__init__()
        self.stem_patch = stem_patch
        last = len(level_channels) - 1
        self.conv_in = nn.Conv2d(3 * stem_patch**2, level_channels[0], kernel_size=3, padding=1)
        self.levels = nn.ModuleList(
            Level(
                level_channels[max(index - 1, 0)],
                channels,
                num_blocks,
                norm_groups,
                with_attention=level_attention and index == last,
                resample=None if index == last else Downsample(channels),
            )
            for index, channels in enumerate(level_channels)
        )
        self.middle = Middle(level_channels[-1], norm_groups, middle_attention)
        self.norm_out = nn.GroupNorm(norm_groups, level_channels[-1], eps=NORM_EPS)
        self.conv_out = nn.Conv2d(level_channels[-1], code_dim, kernel_size=3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, stride*H, stride*W) in [-1, 1] -> (B, D, H, W)."""
        return self.finish(self.shrink(images))

    def shrink(self, images: Tensor) -> Tensor:
        """All levels: (B, 3, stride*H, stride*W) -> (B, C, H, W)."""
        maps = self.conv_in(F.pixel_unshuffle(images, self.stem_patch))
        for level in self.levels:
            maps = level(maps)
        return maps

    def finish(self, maps: Tensor) -> Tensor:
        """The middle and the last convolution: (B, C, H, W) -> (B, D, H, W)."""
        return self.conv_out(_silu(self.norm_out(self.middle(maps))))


class Decoder(nn.Module):
    """Latent to pixels; mirrors `Encoder` (same arguments), as a rule with a block more per level.

    Args:
        head_channels: width of each level between the mirrored ones and the pixels. Each doubles
            the sides, so that the last convolution makes smaller squares of pixels.
    """

    def __init__(
        self,
        level_channels: Sequence[int],
        code_dim: int,
        num_blocks: int,
        norm_groups: int,
        stem_patch: int,
        level_attention: bool,
        middle_attention: bool,
        head_channels: Sequence[int],
    ) -> None:
        super().__init__()
        self.patch = stem_patch // 2 ** len(head_channels)
        last = len(level_channels) - 1
        self.conv_in = nn.Conv2d(code_dim, level_channels[-1], kernel_size=3, padding=1)
        self.middle = Middle(level_channels[-1], norm_groups, middle_attention)
        # indexed fine to coarse like the encoder's levels, run coarse to fine
        self.levels = nn.ModuleList(
            Level(
                level_channels[min(index + 1, last)],
                channels,
                num_blocks,
                norm_groups,
                with_attention=level_attention and index == last,
                resample=None if index == 0 else Upsample(channels),
            )
            for index, channels in enumerate(level_channels)
        )
        widths = (level_channels[0], *head_channels)
        self.head = nn.ModuleList(
            HeadLevel(before, after, norm_groups) for before, after in pairwise(widths)
        )
        self.norm_out = nn.GroupNorm(norm_groups, widths[-1], eps=NORM_EPS)
        self.conv_out = ExactConv2d(widths[-1], 3 * self.patch**2, kernel_size=3, padding=1)

    def forward(self, latent: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, 3, stride*H, stride*W), nominally in [-1, 1], not clamped."""
        return self.finish(self.start(latent))

    def start(self, latent: Tensor) -> Tensor:
        """The first convolution and the middle: (B, D, H, W) -> (B, C, H, W)."""
        return self.middle(self.conv_in(latent))

    def finish(self, maps: Tensor) -> Tensor:
        """All levels: (B, C, H, W) -> (B, 3, stride*H, stride*W)."""
        for level in reversed(self.levels):
            maps = level(maps)
        for level in self.head:
            maps = level(maps)
        last = _silu(self.norm_out(maps)).to(self.conv_out.weight.dtype)
        return F.pixel_shuffle(self.conv_out(last), self.patch)


class Sketch(nn.Module):
    """Latent to pixels at the resolution of the latent, for previews.

    Args:
        code_dim: channels of the latent (D).
        width: channels of the hidden layers.
        stride: pixels a cell is wide.
    """

    def __init__(self, code_dim: int, width: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(code_dim, width, kernel_size=3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 3 * stride**2, kernel_size=3, padding=1),
            nn.PixelShuffle(stride),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, 3, stride*H, stride*W), nominally in [-1, 1], not clamped."""
        return self.layers(latent)
