"""How well clips are rebuilt, and how steady they are: numbers of tensors alone."""

from torch import Tensor

STEADY = 1.0  # of 255: a pixel that changes less in all its channels does not change


def psnr_by_frame(made: Tensor, real: Tensor) -> Tensor:
    """PSNR of each frame in dB, for the range 0 to 255.

    Args:
        made: rebuilt clips, (B, 3, F, H, W) in [-1, 1].
        real: the clips that they stand for.

    Returns:
        (B, F).
    """
    error = (made - real).square().mean(dim=(1, 3, 4)) / 4
    return -10 * error.clamp(min=1e-10).log10()


def changes(clips: Tensor) -> Tensor:
    """How much pixels change from frame to frame, of 255: (B, 3, F, H, W) -> (B, F - 1, H, W)."""
    return 127.5 * (clips[:, :, 1:] - clips[:, :, :-1]).abs().mean(dim=1)


def flicker(made: Tensor, real: Tensor) -> Tensor:
    """Mean change between frames where the real clip has none, of 255.

    Args:
        made: clips to measure, (B, 3, F, H, W) in [-1, 1].
        real: clips that move in the same places.

    Returns:
        (B,); 0 for a clip that changes everywhere.
    """
    largest = 127.5 * (real[:, :, 1:] - real[:, :, :-1]).abs().amax(dim=1)
    steady = (largest < STEADY).float()  # (B, F - 1, H, W)
    total = (changes(made) * steady).sum(dim=(1, 2, 3))
    return total / steady.sum(dim=(1, 2, 3)).clamp(min=1)


def liveliness(clips: Tensor) -> Tensor:
    """Mean change between frames over all places, of 255: (B, 3, F, H, W) -> (B,)."""
    return changes(clips).mean(dim=(1, 2, 3))
