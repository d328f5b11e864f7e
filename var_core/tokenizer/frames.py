"""Frames of clips: as pictures of a batch, and along the time."""

import torch
from torch import Tensor


def fold_frames(clips: Tensor) -> Tensor:
    """Frames as pictures: (B, C, T, H, W) -> (B T, C, H, W)."""
    return clips.transpose(1, 2).flatten(0, 1)


def as_pictures(images: Tensor) -> Tensor:
    """Frames of clips as pictures; pictures as they are: (B, C, ..., H, W) -> (N, C, H, W)."""
    return images if images.ndim == 4 else fold_frames(images)


def unfold_frames(pictures: Tensor, count: int) -> Tensor:
    """Pictures as frames of `count` clips: (B T, C, H, W) -> (B, C, T, H, W)."""
    return pictures.unflatten(0, (count, -1)).transpose(1, 2)


def stretch(clips: Tensor, num_frames: int) -> Tensor:
    """More frames by linear interpolation: (B, C, t, H, W) -> (B, C, num_frames, H, W).

    Frames stand for equal parts of the time; before the middle of the first one and after that of
    the last one nothing moves.
    """
    given = clips.shape[2]
    if given == num_frames:
        return clips
    centres = (torch.arange(num_frames, device=clips.device) + 0.5) * (given / num_frames) - 0.5
    centres = centres.clamp(0, given - 1)
    before = centres.floor().long().clamp(max=max(given - 2, 0))
    after = (before + 1).clamp(max=given - 1)
    share = (centres - before).to(clips.dtype).view(-1, 1, 1)
    return torch.lerp(clips[:, :, before], clips[:, :, after], share.expand(-1, 1, 1))


def double_frames(clips: Tensor) -> Tensor:
    """A frame between every two: (B, C, 1 + n, H, W) -> (B, C, 1 + 2 n, H, W).

    The frames that were there stay as they are, also the first one.
    """
    later = clips[:, :, 1:]
    between = torch.lerp(clips[:, :, :-1], later, 0.5)
    pairs = torch.stack((between, later), dim=3).flatten(2, 3)
    return torch.cat((clips[:, :, :1], pairs), dim=2)
