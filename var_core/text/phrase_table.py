"""Phrases whose vectors are stored with a model, so that drawing by choice needs no encoder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from var_core.text.encoder import TextEncoder
from var_core.text.prompt import phrase_key
from var_core.weight_files import save_tensors

PHRASES_FILE = "phrase_vectors.safetensors"
VECTORS = "vectors"
LENGTH_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """Phrases and their vectors, all from one encoder.

    Attributes:
        encoder: name of the text encoder.
        phrases: n different phrases.
        vectors: (n, E) float32, each of length 1.

    Raises:
        ValueError: on construction, if vectors and phrases do not fit each other.
    """

    encoder: str
    phrases: tuple[str, ...]
    vectors: Tensor

    def __post_init__(self) -> None:
        vectors, count = self.vectors, len(self.phrases)
        if vectors.ndim != 2 or len(vectors) != count or vectors.dtype != torch.float32:
            found = f"{tuple(vectors.shape)} {vectors.dtype}"
            raise ValueError(f"{count} phrases need as many float32 vectors, got {found}")
        if len(self._rows) != count:
            raise ValueError("a phrase occurs twice")
        if not ((vectors.norm(dim=1) - 1).abs() < LENGTH_TOLERANCE).all():
            raise ValueError("the vectors of phrases must have length 1")

    @classmethod
    def encode(cls, encoder: TextEncoder, phrases: Sequence[str]) -> "PhraseTable":
        """The table of some phrases."""
        return cls(encoder.name, tuple(phrases), encoder.encode(phrases))

    @property
    def width(self) -> int:
        """E, the width of a vector."""
        return self.vectors.shape[1]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {phrase_key(phrase): row for row, phrase in enumerate(self.phrases)}

    def find(self, phrase: str) -> Tensor | None:
        """Vector (E,) of a phrase, whatever its capital letters; None if it is not stored."""
        row = self._rows.get(phrase_key(phrase))
        return None if row is None else self.vectors[row]

    def with_phrase(self, phrase: str, vector: Tensor) -> "PhraseTable":
        """The same with one phrase more.

        Args:
            phrase: the new phrase.
            vector: (E,) float32 of length 1.

        Raises:
            ValueError: if the phrase is there already, or the vector does not fit.
        """
        if self.find(phrase) is not None:
            raise ValueError(f"{phrase!r} has a meaning already: choose another name")
        if vector.shape != (self.width,):
            raise ValueError(f"a phrase has {self.width} numbers, got {tuple(vector.shape)}")
        vectors = torch.cat((self.vectors, vector.to(self.vectors).unsqueeze(0)))
        return PhraseTable(self.encoder, (*self.phrases, phrase), vectors)

    def save(self, folder: Path) -> None:
        """Write the table into a model folder.

        Raises:
            OSError: if there is no space or no permission.
        """
        metadata = {
            "encoder": self.encoder,
            "phrases": json.dumps(self.phrases, ensure_ascii=False, separators=(",", ":")),
        }
        save_tensors({VECTORS: self.vectors.contiguous()}, folder / PHRASES_FILE, metadata)

    @classmethod
    def load(cls, folder: Path) -> "PhraseTable":
        """Read the table of a model folder.

        Raises:
            ValueError: if it is missing or damaged.
        """
        path = folder / PHRASES_FILE
        try:
            with safe_open(path, "pt") as file:
                if list(file.keys()) != [VECTORS]:
                    raise ValueError(f"{path} must hold {VECTORS!r} alone")
                metadata = file.metadata() or {}
                phrases = json.loads(metadata["phrases"])
                if not isinstance(phrases, list) or not all(type(one) is str for one in phrases):
                    raise ValueError(f"{path} holds no list of phrases")
                return cls(metadata["encoder"], tuple(phrases), file.get_tensor(VECTORS))
        except (OSError, SafetensorError, KeyError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
