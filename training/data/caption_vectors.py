"""Vectors of the phrases of captions: one for each text, however many pictures share it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from training.data.packed_pictures import load_array
from training.data.prepared_set import UNREADABLE
from training.data.readers.record import short_hash
from training.data.shared_work import making, share_work
from var_core.files import write_atomically
from var_core.text import PhraseTable, TextEncoder
from var_core.text.prompt import phrase_key

FOLDER, ABOUT = "phrase_vectors", "encoder.json"
FILE_PHRASES = 4096
AT_ONCE = 64
STORED_PHRASES = 1000  # with a model


def write_vectors(folder: Path, phrases: Sequence[str], encoder: TextEncoder) -> None:
    """Encode what no other process does; returns when all vectors are there.

    Args:
        folder: folder of the picture set.
        phrases: texts to encode.
        encoder: encoder of text; another one may be used in another copy of the set alone.

    Raises:
        ValueError: if vectors of other phrases or of another encoder are there.
        OSError: if there is no space.
    """
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    about = {"encoder": encoder.name, "width": encoder.width, "phrases": short_hash(phrases)}
    if not (place / ABOUT).exists():
        write_atomically(place / ABOUT, json.dumps(about).encode())
    elif json.loads((place / ABOUT).read_text("utf-8")) != about:
        raise ValueError(f"{place} holds vectors of other phrases or encoders: take it away")
    firsts = range(0, len(phrases), FILE_PHRASES)
    with tqdm(total=len(phrases), unit="phrase", desc="encoding", disable=None) as bar:

        def make(number: int) -> None:
            texts = phrases[firsts[number] : firsts[number] + FILE_PHRASES]
            parts = []
            for start in range(0, len(texts), AT_ONCE):
                parts.append(encoder.encode(texts[start : start + AT_ONCE]).half().numpy())
                bar.update(len(parts[-1]))
            with making(_path(place, firsts[number])) as temporary, temporary.open("wb") as file:
                np.save(file, np.concatenate(parts))

        def is_done(number: int) -> bool:
            return _read(place, firsts[number], len(phrases), encoder.width) is not None

        share_work([_path(place, first) for first in firsts], is_done, make)


def read_vectors(folder: Path, phrases: Sequence[str]) -> Tensor | None:
    """Vectors of all phrases, (n, E) float16; None if `training.prepare.phrases` made none.

    Raises:
        ValueError: if they are damaged, not complete, or those of other phrases.
    """
    place = folder / FOLDER
    if not phrases or not place.exists():
        return None
    again = f"run: python -m training.prepare.phrases --data {folder}"
    try:
        about = json.loads((place / ABOUT).read_text("utf-8"))
        is_of_these, width = about["phrases"] == short_hash(phrases), int(about["width"])
    except (*UNREADABLE, KeyError) as error:
        raise ValueError(f"{place / ABOUT} cannot be read; {again}") from error
    if not is_of_these:
        raise ValueError(f"{place} holds vectors of other phrases: take it away, and {again}")
    vectors = torch.empty(len(phrases), width, dtype=torch.float16)
    for first in range(0, len(phrases), FILE_PHRASES):
        found = _read(place, first, len(phrases), width)
        if found is None:
            raise ValueError(f"{_path(place, first)} is missing or damaged; {again}")
        vectors[first : first + FILE_PHRASES] = torch.from_numpy(np.array(found))
    return vectors


def stored_phrases(folder: Path, phrases: Sequence[str], vectors: Tensor) -> PhraseTable:
    """The first phrases of a set, to be stored with a model, which needs no encoder for them.

    Args:
        folder: folder of the picture set.
        phrases: all phrases.
        vectors: their vectors, (n, E).
    """
    about = json.loads((folder / FOLDER / ABOUT).read_text("utf-8"))
    rows: dict[str, int] = {}  # texts that differ in capitals alone are one phrase to a model
    for row, text in enumerate(phrases):
        if len(rows) < STORED_PHRASES:
            rows.setdefault(phrase_key(text), row)
    chosen = list(rows.values())
    found = F.normalize(vectors[chosen].float())
    return PhraseTable(about["encoder"], tuple(phrases[row] for row in chosen), found)


def _path(place: Path, first: int) -> Path:
    return place / f"{first:09d}.npy"


def _read(place: Path, first: int, count: int, width: int) -> np.ndarray | None:
    """The vectors of a file; None if it is not whole."""
    try:
        size = min(FILE_PHRASES, count - first)
        return load_array(_path(place, first), (size, width), "float16")
    except UNREADABLE:
        return None
