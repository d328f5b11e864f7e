"""What the pipeline gives back."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from var_core.wishes import Wish

Pictures = list[Image.Image] | np.ndarray | Tensor


@dataclass(frozen=True)
class VARPipelineOutput:
    """Finished pictures.

    Attributes:
        images: list of PIL pictures, array (B, H, W, 3) or tensor (B, 3, H, W); numbers in [0, 1].
        token_maps: K tensors (B, S, S) int64, coarse to fine.
        wishes: what each picture was asked to show, with what was drawn for open labels.
    """

    images: Pictures
    token_maps: list[Tensor]
    wishes: list[Wish]

    @property
    def labels(self) -> list[tuple[int, ...]]:
        """Indices of each picture's labels."""
        return [wish.label for wish in self.wishes]


@dataclass(frozen=True)
class Preview:
    """The pictures after one scale.

    Attributes:
        images: as in `VARPipelineOutput`, drawn from the scales so far; the last ones are true
            decodes, those before are sketches where the tokenizer has a sketch decoder.
        token_maps: tokens of the scales so far.
        number: how many scales are done, from 1.
        total: K, the number of scales.
        wishes: as in `VARPipelineOutput`.
        latent: sum of the scales so far, (B, D, H, W) float32; None for edits.
    """

    images: Pictures
    token_maps: list[Tensor]
    number: int
    total: int
    wishes: list[Wish]
    latent: Tensor | None = None

    @property
    def labels(self) -> list[tuple[int, ...]]:
        """Indices of each picture's labels."""
        return [wish.label for wish in self.wishes]


def pil_images(preview: Preview) -> list[Image.Image]:
    """The pictures of a preview that was made with the output type "pil"."""
    assert isinstance(preview.images, list)
    return preview.images
