"""What a tokenizer of clips does along the time, between the coarsest levels of its two halves.

These layers see nothing but changes between frames, and only earlier ones. So a single frame, and a
clip in which nothing moves, pass as pictures do, whatever was learned; and what comes later never
changes an earlier frame.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.tokenizer.frames import double_frames, fold_frames, unfold_frames


class TimeMix(nn.Module):
    """Adds to every frame a function of its two latest changes, which is zero where both are.

    Args:
        channels: width of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seen = nn.Conv2d(2 * channels, channels, kernel_size=3, padding=1, bias=False)
        self.out = nn.Conv2d(channels, channels, kernel_size=1, bias=False)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, T, H, W)."""
        if clips.shape[2] == 1:
            return clips
        changes = F.pad(clips[:, :, 1:] - clips[:, :, :-1], (0, 0, 0, 0, 2, 0))  # zeros in front
        latest = torch.cat((changes[:, :, 1:], changes[:, :, :-1]), dim=1)  # (B, 2C, T, H, W)
        hidden = self.out(F.silu(self.seen(fold_frames(latest))))
        return clips + unfold_frames(hidden, len(clips))


class _TimeMixes(nn.Module):
    """A mix of frames, and another one after each change of their number.

    Args:
        channels: width of the maps.
        num_halvings: how often the number of frames changes (n).
    """

    def __init__(self, channels: int, num_halvings: int) -> None:
        super().__init__()
        self.mixes = nn.ModuleList(TimeMix(channels) for _ in range(num_halvings + 1))

    def _mixed(self, clips: Tensor, resample: Callable[[Tensor], Tensor]) -> Tensor:
        first, *rest = self.mixes
        clips = first(clips)
        for mix in rest:
            clips = mix(resample(clips))
        return clips


class TimeDown(_TimeMixes):
    """Frames to frames of the latent: one for the first frame, one for every `2^n` later ones."""

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, 1 + 2^n t, H, W) -> (B, C, 1 + t, H, W)."""
        return self._mixed(clips, lambda frames: frames[:, :, ::2])


class TimeUp(_TimeMixes):
    """The way back; mirrors `TimeDown`."""

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, 1 + t, H, W) -> (B, C, 1 + 2^n t, H, W)."""
        return self._mixed(clips, double_frames)
