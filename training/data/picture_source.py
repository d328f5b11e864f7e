"""Sources of pictures: the one interface through which both trainers get their data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from var_core.tokenizer import MultiScaleVQVAE


@dataclass(frozen=True)
class PictureBatch:
    """Some pictures and what they show.

    Attributes:
        images: (B, 3, H, W) in [-1, 1].
        labels: (B, A) int64, an index per attribute; on the CPU.
        captions: (B, P) int64, ids of the phrases that are said of each picture, -1 in empty
            slots; on the CPU. None where pictures have labels alone.
    """

    images: Tensor
    labels: Tensor
    captions: Tensor | None = None


class PictureSource(Protocol):
    """Pictures to train on, and fixed pictures to measure with.

    A source has no state: its results depend on the arguments alone. The trainers seed the
    generator by seed, step and process, so a resumed run gets the same pictures.
    """

    @property
    def side(self) -> int:
        """Side of the pictures in pixels."""
        ...

    @property
    def label_names(self) -> Mapping:
        """Content of labels.json: the names behind the label indices."""
        ...

    def train_batch(
        self, generator: torch.Generator, size: int, device: torch.device
    ) -> PictureBatch:
        """Random training pictures, augmented if the source does so; images on `device`."""
        ...

    def fixed(self, split: str, limit: int) -> PictureBatch:
        """Pictures of a split, the same in every call; images on the CPU.

        Args:
            split: "train", "validation" or "held_out"; a split that is missing is empty.
            limit: largest number of pictures; none of them is augmented.
        """
        ...


def check_side(pictures: PictureSource, tokenizer: MultiScaleVQVAE) -> None:
    """Check that pictures have the size that a tokenizer encodes.

    Raises:
        ValueError: if they do not.
    """
    height, width = tokenizer.image_shape
    if (height, width) != (pictures.side, pictures.side):
        rows, columns = tokenizer.schedule.final_shape
        raise ValueError(
            f"the pictures have {pictures.side} pixels a side, the tokenizer takes {width}x{height}"
            f": its finest map has {columns}x{rows} codes of {tokenizer.stride} pixels a side; "
            "change --sides of the tokenizer, or make pictures of that size"
        )
