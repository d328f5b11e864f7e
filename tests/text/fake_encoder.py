"""A text encoder that knows nothing, but always says the same."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from tests.prompted_models import TEXT_DIM


class FakeEncoder:
    """Unit vectors from the letters of a phrase."""

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
