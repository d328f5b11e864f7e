"""Pooled EfficientNet-Lite0 features of pictures, used by the Frechet distance and the judge.

The net (arXiv 1905.11946, the Lite variant without squeeze-excitation and with ReLU6) was trained
on ImageNet at 224 px. Our pictures are 64 px, so they are enlarged to 128 px first: that keeps a
4x4 final map at a third of the time of 224 px.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES_FILE = "efficientnet_lite0.safetensors"
NUM_FEATURES = 1280
INPUT_SIDE = 128

STEM_CHANNELS = 32
# One row per stage: output channels, repeats, kernel, stride of the first block, widening inside.
STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
NUM_EARLY_BLOCKS = 11  # blocks of the first five stages
EARLY_CHANNELS = 112


class SameConv(nn.Conv2d):
    """Convolution padded so that the output side is ceil(side / stride), the odd pixel at the end.

    Its bias holds the batch normalisation that training had behind it.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels_out, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        totals = [
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in input.shape[-2:]
        ]
        before = [total // 2 for total in totals]
        if all(total == 2 * half for total, half in zip(totals, before, strict=True)):
            # Padding inside the convolution is several times faster than a padded copy.
            return F.conv2d(input, self.weight, self.bias, stride, before, groups=self.groups)
        (top, left), (height, width) = before, totals
        return super().forward(F.pad(input, (left, width - left, top, height - top)))


class InvertedResidual(nn.Module):
    """Widen, filter each channel on its own, narrow; added to the input where shapes agree."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, widening: int
    ) -> None:
        super().__init__()
        wide = channels_in * widening
        self.expand = SameConv(channels_in, wide, 1) if widening > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, channels_out, 1)
        self.is_residual = stride == 1 and channels_in == channels_out

    def forward(self, maps: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels_out, H', W')."""
        wide = maps if self.expand is None else F.relu6(self.expand(maps))
        result = self.project(F.relu6(self.depthwise(wide)))
        return result + maps if self.is_residual else result


class FeatureNet(nn.Module):
    """EfficientNet-Lite0 without its classifier; random until `load_features` fills it.

    Args:
        side: side in pixels that pictures are resized to first.
    """

    def __init__(self, side: int = INPUT_SIDE) -> None:
        super().__init__()
        if side < 32:
            raise ValueError(f"side must be at least 32, the stride of the net, got {side}")
        self.side = side
        self.stem = SameConv(3, STEM_CHANNELS, 3, stride=2)
        blocks: list[InvertedResidual] = []
        channels_in = STEM_CHANNELS
        for channels_out, repeats, kernel, stride, widening in STAGES:
            for repeat in range(repeats):
                first_stride = stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(channels_in, channels_out, kernel, first_stride, widening)
                )
                channels_in = channels_out
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(channels_in, NUM_FEATURES, 1)
        # torch declares no overload for memory formats
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def prepare(self, images: Tensor) -> Tensor:
        """Resize and scale pictures as the net expects: [-1, 1] -> (B, 3, side, side)."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"pictures must be (B, 3, H, W), got {tuple(images.shape)}")
        images = images.float()
        if images.shape[-2:] != (self.side, self.side):
            images = F.interpolate(
                images, size=(self.side, self.side), mode="bicubic", antialias=True
            )
        pixels = (images + 1.0) * 127.5
        return ((pixels - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)

    def early_maps(self, images: Tensor) -> Tensor:
        """Run the general part: [-1, 1] (B, 3, H, W) -> (B, 112, side/16, side/16)."""
        maps = F.relu6(self.stem(self.prepare(images)))
        for block in self.blocks[:NUM_EARLY_BLOCKS]:
            maps = block(maps)
        return maps

    def late_maps(self, maps: Tensor) -> Tensor:
        """Run the part that tells things apart: `early_maps` -> (B, 1280, side/32, side/32)."""
        for block in self.blocks[NUM_EARLY_BLOCKS:]:
            maps = block(maps)
        return F.relu6(self.head(maps))

    def tune_late_blocks(self) -> list[nn.Parameter]:
        """Let only the late blocks learn, but for depthwise kernels, whose gradients are slow.

        Returns:
            The parameters that learn.
        """
        late = [*self.blocks[NUM_EARLY_BLOCKS:], self.head]
        tuned = [p for part in late for p in part.parameters() if p.ndim == 1 or p.shape[1] > 1]
        self.requires_grad_(False)
        for parameter in tuned:
            parameter.requires_grad_(True)
        return tuned

    def forward(self, images: Tensor) -> Tensor:
        """Features of each picture: [-1, 1] (B, 3, H, W) -> (B, 1280), float32."""
        return self.late_maps(self.early_maps(images)).float().mean(dim=(2, 3))


def load_features(folder: Path | str, side: int = INPUT_SIDE) -> FeatureNet:
    """Read the trained net, frozen, from a folder that `training.prepare.nets` filled.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    path = Path(folder) / FEATURES_FILE
    advice = f"run: python -m training.prepare.nets --out {folder}"
    if not path.is_file():
        raise ValueError(f"the feature net {path} is missing; {advice}")
    net = FeatureNet(side)
    try:
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"the feature net {path} is damaged; delete it and {advice}") from error
    return net.requires_grad_(False).eval()
