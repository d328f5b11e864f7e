"""The results of the pipeline: finished pictures and previews."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from var_core.wishes import Wish

Pictures = Sequence[Image.Image] | np.ndarray | Tensor


@dataclass(frozen=True)
class VARPipelineOutput:
    """Finished pictures.

    Attributes:
        images: list of PIL pictures, or numbers in [0, 1]: array (B, H, W, 3) or tensor
            (B, 3, H, W).
        token_maps: K tensors (B, h, w) int64, coarse to fine.
        wishes: what each picture was asked to show.
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
    """The pictures after one scale; for edits also, once more, after each of several candidates.

    Attributes:
        images: pictures of the scales so far, as in `VARPipelineOutput`; the last ones are true
            decodes, earlier ones are sketches where the tokenizer has a sketch decoder.
        token_maps: token maps of the scales so far.
        number: number of scales that are done; 0 after the first candidates of an edit.
        total: number of scales, K.
        wishes: what each picture was asked to show, as in `VARPipelineOutput`.
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


def pil_images(preview: Preview) -> Sequence[Image.Image]:
    """The pictures of a preview that was made with the output type "pil"."""
    assert not isinstance(preview.images, np.ndarray | Tensor)
    return preview.images


@dataclass(frozen=True)
class ClipOutput:
    """Finished clips.

    Attributes:
        clips: frames of each clip.
        token_maps: K tensors (B, h, w) or (B, t, h, w) int64 of the part that was drawn last.
        wishes: what each clip was asked to show.
    """

    clips: list[list[Image.Image]]
    token_maps: list[Tensor]
    wishes: list[Wish]


@dataclass(frozen=True)
class ClipPreview:
    """The clips after one scale.

    Attributes:
        clips: frames of each clip so far: one until there is a scale of the clip itself. The last
            ones are true decodes, earlier ones are sketches where the tokenizer has a sketch
            decoder.
        token_maps: token maps so far of the part that is being drawn.
        number: number of scales that are done, from 1, over all parts.
        total: number of scales over all parts.
        wishes: what each clip was asked to show, as in `ClipOutput`.
    """

    clips: list[list[Image.Image]]
    token_maps: list[Tensor]
    number: int
    total: int
    wishes: list[Wish]
