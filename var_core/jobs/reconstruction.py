"""What the tokenizer makes of a picture: reconstructions, token maps, bits, errors.

The colours of token maps are in `token_map_colours.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from var_core.images import central_part
from var_core.pipeline import VARPipeline

IDENTICAL_PSNR = 99.0  # dB, shown for a picture without any error


@dataclass(frozen=True)
class Reconstruction:
    """A picture after 1, 2, ... K scales of the tokenizer.

    Attributes:
        source: the square that was encoded, at the model's size.
        frames: K reconstructions, coarse to fine.
        token_maps: K tensors (1, h, w) int64.
        psnr: peak signal-to-noise ratio of each frame against the source, in dB.
        bits: size of the tokens up to each scale.
    """

    source: Image.Image
    frames: tuple[Image.Image, ...]
    token_maps: tuple[Tensor, ...]
    psnr: tuple[float, ...]
    bits: tuple[int, ...]


def reconstruct(pipeline: VARPipeline, image: Image.Image) -> Reconstruction:
    """Encode the central part of a picture, and decode every prefix of its token maps.

    Args:
        pipeline: pipeline whose tokenizer is used.
        image: picture of any size and mode.
    """
    source = central_part(image, pipeline.image_shape)
    token_maps, frames = pipeline.tokenize(source)
    return _report(pipeline, source, token_maps, frames)


def reconstruct_tokens(pipeline: VARPipeline, token_maps: Sequence[Tensor]) -> Reconstruction:
    """Decode every prefix of given token maps; the source is the picture of all of them.

    Args:
        pipeline: pipeline whose tokenizer is used.
        token_maps: tokens of the first scales or of all, (1, h, w) each.
    """
    frames = pipeline.decode_prefixes(token_maps)
    return _report(pipeline, frames[-1], token_maps, frames)


def _report(
    pipeline: VARPipeline,
    source: Image.Image,
    token_maps: Sequence[Tensor],
    frames: Sequence[Image.Image],
) -> Reconstruction:
    bits_per_token = math.log2(pipeline.info.vocab_size)
    counts = np.cumsum([tokens[0].numel() for tokens in token_maps])
    return Reconstruction(
        source,
        tuple(frames),
        tuple(tokens.cpu() for tokens in token_maps),
        tuple(psnr(source, frame) for frame in frames),
        tuple(math.ceil(count * bits_per_token) for count in counts),
    )


def psnr(first: Image.Image, second: Image.Image) -> float:
    """Peak signal-to-noise ratio of two RGB pictures of one size, in dB, at most 99."""
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    mean_square = float(np.mean(difference**2))
    if mean_square == 0:
        return IDENTICAL_PSNR
    return min(10 * math.log10(255**2 / mean_square), IDENTICAL_PSNR)
