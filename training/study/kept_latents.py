"""Latents of numbered scenes in a file that all runs share: a scene is painted and encoded once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.shared_work import making


class KeptLatents:
    """A memory-mapped file in half precision, 4 kB a scene, that is filled as scenes are asked for.

    Args:
        path: the file; it is made where it is missing.
        shape: scenes, channels, height and width, (n, D, h, w).

    Raises:
        ValueError: if the file holds something else.
        OSError: if it cannot be written.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int, int]) -> None:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # written in full, so that a disk without room says so here
            with making(path) as temporary, temporary.open("wb") as file:
                np.save(file, np.zeros(shape, np.float16))
        self.latents = np.load(path, mmap_mode="r+")
        if self.latents.shape != shape or self.latents.dtype != np.float16:
            raise ValueError(
                f"{path} holds {self.latents.dtype} {self.latents.shape}, not float16 {shape}: "
                "delete it, and it is made again"
            )

    def rows(self, numbers: Sequence[int], make: Callable[[Sequence[int]], Tensor]) -> Tensor:
        """Latents of some scenes, (B, D, h, w) float32 on the CPU.

        Args:
            numbers: numbers of the scenes.
            make: function that makes latents (B, D, h, w) of those that are asked for first.
        """
        found = self.latents[list(numbers)]
        is_known = found.reshape(len(found), -1).any(axis=1)  # no latent is 0 everywhere
        missing = [number for number, known in zip(numbers, is_known, strict=True) if not known]
        if missing:
            self.latents[missing] = make(missing).half().cpu().numpy()
            found = self.latents[list(numbers)]
        return torch.from_numpy(found).float()
