"""Scenes for training, none twice, and scenes of the same kind that training never shows."""

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from training.data.scenes.pictures import ScenePictures
from training.data.token_source import TokenBatch, TokenSource
from training.loop.picture_random import PictureRandom

WORDING = -7  # purpose of what is random in the captions of validation scenes


def open_scenes(folder: str | Path, side: int) -> ScenePictures:
    """Scenes in pictures of some side.

    Raises:
        ValueError: if something in the folder is missing or damaged.
    """
    found = ScenePictures.open(folder)
    return ScenePictures(found.table, found.phrases, found.vectors, side)


class HeldBack:
    """A source of which the last pictures are kept for validation, worded as in training.

    Args:
        source: tokens of a number of pictures.
        num_validation: pictures to keep.

    Raises:
        ValueError: if the source has no more than these.
    """

    can_read_ahead = False

    def __init__(self, source: TokenSource, num_validation: int) -> None:
        if not 0 < num_validation < source.num_train:
            raise ValueError(
                f"of {source.num_train} pictures, 1 to {source.num_train - 1} can be kept for "
                f"validation, got {num_validation}"
            )
        self.source = source
        self.num_validation = num_validation

    @property
    def num_train(self) -> int:
        """Pictures to learn from."""
        return self.source.num_train - self.num_validation

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Tokens of training pictures."""
        return self.source.train_batch(rows, random)

    @cached_property
    def _validation(self) -> TokenBatch:
        return self.fixed("validation", self.num_validation)

    def validation(self) -> TokenBatch:
        """Tokens of all validation pictures, made once: of diffusion, they are painted for it."""
        return self._validation

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the first training or validation pictures; no others are held out."""
        first = self.num_train if split == "validation" else 0
        count = 0 if split == "held_out" else min(limit, self.num_validation)
        numbers = range(first, first + max(1, count))
        random = PictureRandom(0, WORDING, numbers)
        return self.source.train_batch(torch.tensor(numbers), random).rows(torch.arange(count))
