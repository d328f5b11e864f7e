"""A tiny transformer that takes text, and conditions for it."""

import torch
from torch import Tensor

from tests.conftest import SIDES
from var_core import VARTransformer
from var_core.condition import Condition
from var_core.transformer import init_weights

TEXT_DIM, SLOTS, STYLES = 6, 4, 3


def make_text_transformer(label_counts: tuple[int, ...] = (STYLES,)) -> VARTransformer:
    transformer = VARTransformer(
        sides=SIDES,
        vocab_size=32,
        code_dim=8,
        label_counts=label_counts,
        depth=2,
        width=32,
        num_heads=2,
        shared_modulation=True,
        text_dim=TEXT_DIM,
        max_phrases=SLOTS,
    )
    # large factors, so that phrases, labels and tokens really change what is drawn
    init_weights(transformer, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return transformer.eval().requires_grad_(False)


def unit_vectors(count: int, seed: int = 0, width: int = TEXT_DIM) -> Tensor:
    vectors = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return vectors / vectors.norm(dim=1, keepdim=True)


def prompted(*numbers: int, style: int = STYLES) -> Condition:
    """One row whose phrases have these numbers, in this order."""
    phrases = torch.zeros(1, SLOTS, TEXT_DIM)
    phrases[0, : len(numbers)] = unit_vectors(20)[list(numbers)]
    return Condition(torch.tensor([[style]]), phrases, torch.arange(SLOTS)[None] < len(numbers))
