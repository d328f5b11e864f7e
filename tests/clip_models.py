"""Tiny models of clips with seeded weights."""

import torch
from torch import Tensor

from tests.conftest import make_tokenizer
from tests.prompted_models import SPACE, TABLE, make_text_transformer
from var_core import MultiScaleVQVAE, VARClipPipeline, VARTransformer
from var_core.tokenizer.inflation import inflate_tokenizer
from var_core.transformer import init_weights

PICTURE = (1, 2, 3, 4)
CLIP = (*PICTURE, (2, 1, 1), (2, 2, 2), (3, 4, 4))
FRAMES, SIDE = 13, 8  # of a clip


def make_clip_tokenizer(is_trained: bool = True) -> MultiScaleVQVAE:
    """The tiny tokenizer of pictures, inflated; trained, what works in time does something."""
    generator = torch.Generator().manual_seed(3)
    tokenizer = inflate_tokenizer(make_tokenizer(PICTURE), CLIP, 4, generator)
    if is_trained:
        for name, weight in tokenizer.named_parameters():
            if name.startswith("time_") or ".refine_time." in name:
                weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return tokenizer


def make_clip_transformer() -> VARTransformer:
    transformer = VARTransformer(
        sides=CLIP, vocab_size=32, code_dim=8, label_counts=(10,), depth=2, width=32, num_heads=2
    )
    init_weights(transformer, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return transformer.eval().requires_grad_(False)


def make_prompted_clips() -> VARClipPipeline:
    """A tiny pipeline of clips that takes the words of `tests.prompted_models`."""
    return VARClipPipeline(make_clip_tokenizer(), make_text_transformer(sides=CLIP), SPACE, TABLE)


def moving(count: int = 2, frames: int = FRAMES) -> Tensor:
    """Clips of noise, (B, 3, F, 8, 8) in [-1, 1]."""
    dice = torch.Generator().manual_seed(4)
    return torch.rand(count, 3, frames, SIDE, SIDE, generator=dice) * 2 - 1
