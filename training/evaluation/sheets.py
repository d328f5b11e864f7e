"""Contact sheets of pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def sheet_pixels(rows: Sequence[Tensor]) -> np.ndarray:
    """Pictures as a grid.

    Args:
        rows: rows of the sheet, each (N, 3, H, W) in [-1, 1], all of one shape.

    Returns:
        (R*H, N*W, 3) uint8.
    """
    grid = torch.stack(list(rows))  # (R, N, 3, H, W)
    flat = grid.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (R*H, N*W, 3)
    return ((flat.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def save_sheet(path: Path, rows: Sequence[Tensor]) -> None:
    """Write pictures as a grid (see `sheet_pixels`) to a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet_pixels(rows)).save(path)
