"""What the pipeline gives back."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

Pictures = list[Image.Image] | np.ndarray | Tensor


@dataclass(frozen=True)
class VARPipelineOutput:
    """Finished pictures.

    Attributes:
        images: list of PIL pictures, array (B, H, W, 3) or tensor (B, 3, H, W); numbers in [0, 1].
        token_maps: K tensors (B, S, S) int64, coarse to fine.
        labels: indices of each picture's labels, with what was drawn for open ones.
    """

    images: Pictures
    token_maps: list[Tensor]
    labels: list[tuple[int, ...]]


@dataclass(frozen=True)
class Preview:
    """The pictures after one scale.

    Attributes:
        images: as in `VARPipelineOutput`, drawn from the scales so far; the last ones are true
            decodes, those before are sketches where the tokenizer has a sketch decoder.
        token_maps: of the scales so far.
        number: how many scales are done, from 1.
        total: K, the number of scales.
        labels: as in `VARPipelineOutput`.
        latent: sum of the scales so far, (B, D, H, W) float32; None for edits.
    """

    images: Pictures
    token_maps: list[Tensor]
    number: int
    total: int
    labels: list[tuple[int, ...]]
    latent: Tensor | None = None


def pil_images(preview: Preview) -> list[Image.Image]:
    """The pictures of a preview that was made with the output type "pil"."""
    assert isinstance(preview.images, list)
    return preview.images
