"""What turns phrases into vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor


class TextEncoder(Protocol):
    """Phrases to vectors of length 1; a phrase has the same vector whatever is beside it."""

    @property
    def name(self) -> str:
        """Name that is unique to its weights."""
        ...

    @property
    def width(self) -> int:
        """E, the width of a vector."""
        ...

    def encode(self, phrases: Sequence[str]) -> Tensor:
        """Vectors of some phrases, (n, E) float32 on the CPU."""
        ...


def open_embedded_encoder() -> TextEncoder:
    """Load the embedded encoder.

    Raises:
        ValueError: if its package is missing or another version.
    """
    from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder

    return UniversalSentenceEncoder()


def open_text_encoder(name: str, folder: str | Path | None = None) -> TextEncoder:
    """Load the text encoder of a name.

    Args:
        name: name of the encoder that a model was trained with.
        folder: local folder of a `transformers` text model; None takes the embedded encoder.

    Raises:
        ValueError: if there is no such encoder, or another one was found.
    """
    from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder

    if folder is not None:
        from var_core.text.transformers_encoder import TransformersEncoder

        encoder: TextEncoder = TransformersEncoder(folder)
    elif name == UniversalSentenceEncoder.name:
        encoder = UniversalSentenceEncoder()
    else:
        raise ValueError(f"this model's words need the text encoder {name}: name its folder")
    if encoder.name != name:
        raise ValueError(f"this model's words need the text encoder {name}, not {encoder.name}")
    return encoder
