"""Tiny models that take text, and conditions for them."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from tests.conftest import SIDES, make_tokenizer
from var_core import VARPipeline, VARTransformer
from var_core.condition import Condition
from var_core.labels import Attribute, LabelSpace
from var_core.menus import Choice, Menu
from var_core.scales import Sides
from var_core.text import PhraseTable
from var_core.transformer import init_weights

TEXT_DIM, SLOTS, STYLES = 6, 4, 3


class FakeEncoder:
    """A text encoder that knows nothing, but always says the same."""

    name = "fake"

    def __init__(self, width: int = TEXT_DIM) -> None:
        self.width = width
        self.asked: list[str] = []

    def encode(self, phrases: Sequence[str]) -> Tensor:
        self.asked += phrases
        vectors = torch.zeros(len(phrases), self.width)
        for row, phrase in enumerate(phrases):
            seed = int.from_bytes(hashlib.sha256(phrase.encode()).digest()[:4], "big")
            vectors[row] = torch.randn(self.width, generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.normalize(vectors, dim=1)


MENUS = (
    Menu("thing", (Choice("fox", "a fox", "animals", ("vixen",)), Choice("pizza", "a pizza"))),
    Menu("place", (Choice("snow", "in the snow"),)),
)
SPACE = LabelSpace((Attribute("style", ("noto", "flat", "3d")),), menus=MENUS)
PHRASES = [choice.phrase for menu in MENUS for choice in menu.choices]
TABLE = PhraseTable.encode(FakeEncoder(), PHRASES)


def make_text_transformer(
    label_counts: tuple[int, ...] = (STYLES,), sides: Sides = SIDES
) -> VARTransformer:
    transformer = VARTransformer(
        sides=sides,
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


def make_prompted(dtype: torch.dtype = torch.float32) -> VARPipeline:
    """A tiny pipeline with a style and menus of things and places."""
    return VARPipeline(make_tokenizer(), make_text_transformer().to(dtype), SPACE, TABLE)
