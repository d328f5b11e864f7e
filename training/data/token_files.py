"""Tokens of all pictures of a set under several views, in memory-mapped files on disk.

A file holds one view of 4,096 pictures, as whole numbers of 16 bits where the codebook allows it.
`token_encoder.py` makes the files.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.packed_pictures import load_array
from training.data.shared_work import making
from var_core.tokenizer import MultiScaleVQVAE

SHARD_PICTURES = 4096


@dataclass(frozen=True)
class Views:
    """The views of a picture that are encoded.

    Attributes:
        count: number of views, at least 1. View 0 is the picture itself; the others are moved.
        flip: whether half of the pictures of the other views are mirrored.
        has_features: whether features before quantization are kept too.
        kind: how pictures are moved, see `move_at_random`.
    """

    count: int
    flip: bool = False
    has_features: bool = False
    kind: str = "white"


@dataclass(frozen=True)
class Shape:
    """How large the files of a set are.

    Attributes:
        num_pictures: pictures of the set.
        num_tokens: tokens of a picture.
        token_kind: type of a token, as numpy writes it.
        latent_width: numbers of a picture's features.
    """

    num_pictures: int
    num_tokens: int
    token_kind: str
    latent_width: int

    @classmethod
    def of(cls, tokenizer: MultiScaleVQVAE, num_pictures: int) -> "Shape":
        """That of the pictures of a set under a tokenizer."""
        schedule = tokenizer.schedule
        kind = "uint16" if tokenizer.config["vocab_size"] <= 2**16 else "uint32"
        width = tokenizer.config["code_dim"] * prod(schedule.latent_shape)
        return cls(num_pictures, schedule.num_tokens, kind, width)

    def firsts(self) -> range:
        """The first picture of each file."""
        return range(0, self.num_pictures, SHARD_PICTURES)

    def rows(self, first: int) -> range:
        """The pictures of the file that begins with one."""
        return range(first, min(first + SHARD_PICTURES, self.num_pictures))


class TokenFiles:
    """Tokens of every picture of a set under several views, read when they are used.

    Args:
        folder: folder with all files.
        shape: sizes of the files.
        views: views that were encoded.
    """

    def __init__(self, folder: Path, shape: Shape, views: Views) -> None:
        self.views = views
        firsts = shape.firsts()
        self._tokens = [
            [open_tokens_file(folder, shape, view, first) for first in firsts]
            for view in range(views.count)
        ]
        self._latents = [
            [open_latents_file(folder, shape, view, first) for first in firsts]
            for view in range(views.count if views.has_features else 0)
        ]

    def tokens(self, views: Tensor, rows: Tensor) -> Tensor:
        """Tokens of pictures (N,), each in its view (N,): (N, L) int64."""
        return torch.from_numpy(_gather(self._tokens, views, rows).astype(np.int64))

    def latents(self, views: Tensor, rows: Tensor) -> Tensor:
        """Features of pictures (N,), each in its view (N,): (N, D * H * W) float16."""
        return torch.from_numpy(_gather(self._latents, views, rows))


def _gather(files: list[list[np.ndarray]], views: Tensor, rows: Tensor) -> np.ndarray:
    first = files[0][0]
    found = np.empty((len(rows), first.shape[1]), first.dtype)
    for index, (view, row) in enumerate(zip(views.tolist(), rows.tolist(), strict=True)):
        found[index] = files[view][row // SHARD_PICTURES][row % SHARD_PICTURES]
    return found


def open_tokens_file(folder: Path, shape: Shape, view: int, first: int) -> np.ndarray:
    """The file of one view of some pictures: (N, L)."""
    size = (len(shape.rows(first)), shape.num_tokens)
    return np.asarray(load_array(tokens_path(folder, view, first), size, shape.token_kind))


def open_latents_file(folder: Path, shape: Shape, view: int, first: int) -> np.ndarray:
    """The file of the features of one view of some pictures: (N, D * H * W)."""
    size = (len(shape.rows(first)), shape.latent_width)
    return np.asarray(load_array(latents_path(folder, view, first), size, "float16"))


def tokens_path(folder: Path, view: int, first: int) -> Path:
    """The place of the tokens of some pictures."""
    return folder / f"view-{view:02d}-{first:09d}.npy"


def latents_path(folder: Path, view: int, first: int) -> Path:
    """The place of the features of some pictures."""
    return folder / f"latents-{view:02d}-{first:09d}.npy"


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a file that is whole or not there."""
    with making(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
