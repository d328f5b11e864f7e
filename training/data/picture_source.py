"""Sources of pictures: the one interface through which both trainers get their data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from training.loop.picture_random import PictureRandom
from training.loop.transfer import pinned
from var_core.tokenizer import MultiScaleVQVAE


@dataclass(frozen=True)
class PictureBatch:
    """Some pictures and what they show.

    Attributes:
        images: (B, 3, H, W) in [-1, 1]; clips (B, 3, F, H, W).
        labels: (B, A) int64, an index per attribute; on the CPU.
        captions: (B, P) int64, ids of the phrases that are said of each picture, -1 in empty
            slots; on the CPU. None where pictures have labels alone.
    """

    images: Tensor
    labels: Tensor
    captions: Tensor | None = None

    def to(self, device: torch.device, non_blocking: bool = False) -> Self:
        """The same with the images on a device."""
        return replace(self, images=self.images.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same with the images where a GPU fetches them fast."""
        return replace(self, images=pinned(self.images))


class PictureSource(Protocol):
    """Pictures to train on, and fixed pictures to measure with.

    A source has no state: its results depend on the arguments alone. So a resumed run gets the
    same pictures.
    """

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch; 0 where they never end."""
        ...

    @property
    def can_read_ahead(self) -> bool:
        """Whether training pictures can be made in other processes, without the run's device."""
        ...

    @property
    def side(self) -> int:
        """Side of the pictures in pixels."""
        ...

    @property
    def num_frames(self) -> int:
        """Frames of a clip; 1 for pictures."""
        ...

    @property
    def label_names(self) -> Mapping:
        """Content of labels.json: the names behind the label indices."""
        ...

    def words(self, labels: Tensor, captions: Tensor | None) -> list[str]:
        """What is said of some pictures, a line for each; an open label is left out.

        Args:
            labels: (B, A) int64.
            captions: (B, P) int64; None where pictures have labels alone.
        """
        ...

    def train_batch(
        self, rows: Tensor, random: PictureRandom, device: torch.device
    ) -> PictureBatch:
        """Training pictures, augmented if the source does so; images on `device`.

        Args:
            rows: (B,) int64, numbers of training pictures; where they never end, only the count
                matters, and the pictures are random ones.
            random: random numbers of the pictures.
            device: device of the images.
        """
        ...

    def fixed(self, split: str, limit: int) -> PictureBatch:
        """Pictures of a split, the same in every call; images on the CPU.

        Args:
            split: "train", "validation" or "held_out"; a split that is missing is empty.
            limit: largest number of pictures; none of them is augmented.
        """
        ...


def label_words(label_names: Mapping, labels: Tensor) -> list[str]:
    """The names of labels (B, A), a line for each picture; an open label is left out."""
    names = [attribute["values"] for attribute in label_names["attributes"]]
    return [
        ", ".join(
            str(values[index])
            for values, index in zip(names, row, strict=True)
            if index < len(values)
        )
        for row in labels.tolist()
    ]


def check_side(pictures: PictureSource, tokenizer: MultiScaleVQVAE) -> None:
    """Check that pictures or clips have the size that a tokenizer encodes.

    Raises:
        ValueError: if they do not.
    """
    height, width = tokenizer.image_shape
    if (height, width) != (pictures.side, pictures.side):
        rows, columns = tokenizer.schedule.final_shape[-2:]
        raise ValueError(
            f"the pictures have {pictures.side} pixels a side, the tokenizer takes {width}x{height}"
            f": its finest map has {columns}x{rows} codes of {tokenizer.stride} pixels a side; "
            "change --sides of the tokenizer, or make pictures of that size"
        )
    if pictures.num_frames != tokenizer.num_frames:
        raise ValueError(
            f"the data are {_kind(pictures.num_frames)}, the tokenizer takes "
            f"{_kind(tokenizer.num_frames)}: change --clip-frames or --frame-stride of the "
            "tokenizer, or choose other --data"
        )


def _kind(num_frames: int) -> str:
    return "pictures" if num_frames == 1 else f"clips of {num_frames} frames"
