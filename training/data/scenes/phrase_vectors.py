"""The stored vectors of all phrases: written once by the encoder, read by training."""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.data.scenes.phrases import Phrases
from training.data.scenes.thing_words import Encode

VECTORS_FILE = "phrase_vectors.npy"
INDEX_FILE = "phrases.json"
CHUNK = 512  # phrases encoded at once


def texts_fingerprint(texts: Sequence[str]) -> str:
    """Return a hash of a list of phrases and its order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def write_phrase_vectors(folder: Path, phrases: Phrases, encode: Encode, encoder: str) -> int:
    """Encode all phrases and write their vectors as float16; returns how many there are.

    Vectors that the same encoder wrote there before are taken over.

    Args:
        folder: the sprite folder.
        phrases: what to encode.
        encode: the sentence encoder.
        encoder: name and version of the encoder.
    """
    texts = phrases.texts
    known = _known_vectors(folder, encoder)
    missing = [text for text in texts if text not in known]
    for start in tqdm(range(0, len(missing), CHUNK), desc="phrases"):
        part = missing[start : start + CHUNK]
        known.update(zip(part, encode(part).astype(np.float16), strict=True))
    vectors = np.stack([known[text] for text in texts])
    buffer = io.BytesIO()
    np.save(buffer, vectors)
    index = {"encoder": encoder, "fingerprint": texts_fingerprint(texts), "texts": texts}
    contents = {
        VECTORS_FILE: buffer.getvalue(),
        INDEX_FILE: json.dumps(index, ensure_ascii=False, indent=0).encode(),
    }
    for name, content in contents.items():
        partial = folder / f"{name}.partial"
        partial.write_bytes(content)
        os.replace(partial, folder / name)
    return len(texts)


def _known_vectors(folder: Path, encoder: str) -> dict[str, np.ndarray]:
    """Return what an earlier run with this encoder wrote; nothing if it cannot be used."""
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        vectors = np.load(folder / VECTORS_FILE)
        if index["encoder"] != encoder or len(vectors) != len(index["texts"]):
            return {}
        return dict(zip(index["texts"], vectors, strict=True))
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return {}  # missing or damaged: encoded again


def read_phrase_vectors(folder: Path, phrases: Phrases) -> Tensor:
    """Read the vectors of all phrases by id: (n, E), float16.

    Raises:
        ValueError: if they are missing, damaged or were made from other phrases.
    """
    hint = f"run: python -m training.prepare.scenes --out {folder}"
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        vectors = np.load(folder / VECTORS_FILE)
        fingerprint = index["fingerprint"]
    except FileNotFoundError as error:
        raise ValueError(f"{folder} holds no vectors of phrases; {hint}") from error
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise ValueError(f"the vectors of phrases in {folder} are damaged; {hint}") from error
    expected = texts_fingerprint(phrases.texts)
    if fingerprint != expected or vectors.ndim != 2 or len(vectors) != len(phrases.texts):
        raise ValueError(f"the vectors in {folder} were made from other phrases; {hint}")
    return torch.from_numpy(vectors)
