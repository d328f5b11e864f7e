"""Tokens of the first pictures of an endless source, encoded once and kept.

Made on the fly, a picture costs as much time as a step of a small network spends on it. So a run on
a CPU takes its pictures from a pool that is large, and grows between runs; what is said of a
picture is worded anew each time.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from training.data.picture_source import PictureSource
from training.data.shared_work import making, share_work
from training.data.token_encoder import weights_digest
from training.data.token_source import EncodedPictures, TokenBatch, encode_pictures, summed_features
from training.loop.checkpoint import SaveError
from training.loop.picture_random import PictureRandom
from var_core.files import write_atomically
from var_core.tokenizer import MultiScaleVQVAE

SHARD_PICTURES = 4096
SHARD_CLIPS = 256
PICTURES_AT_ONCE = 32
STAMP_FILE = "pool.json"


class NumberedPictures(PictureSource, Protocol):
    """An endless source whose training pictures have numbers."""

    @property
    def stamp(self) -> Mapping[str, str]:
        """What the numbered pictures depend on, as JSON: other pictures have another stamp."""
        ...

    def numbered(self, numbers: Sequence[int], device: torch.device) -> Tensor:
        """Training pictures or clips by number, as `PictureBatch` has them."""
        ...

    def described(self, numbers: Tensor, random: PictureRandom) -> tuple[Tensor, Tensor]:
        """Labels (B, A) of pictures by number, and captions (B, P) worded at random."""
        ...


class TokenPool:
    """The first pictures of an endless source, as tokens for a transformer run.

    Args:
        pictures: the source.
        tokenizer: frozen; its device is that of the run.
        folder: folder of the pool, see `fill_pool`.
        size: pictures to take from it, a multiple of 4,096, or clips, one of 256; those that are
            missing are encoded.
        with_features: whether training batches have features; they are sums of all scales here,
            which are what is kept of a picture.
        process: number of this process.
        num_processes: processes of the run; all of them encode.

    Raises:
        ValueError: if the size is no such multiple.
        SaveError: if the pool cannot be written.
    """

    def __init__(
        self,
        pictures: NumberedPictures,
        tokenizer: MultiScaleVQVAE,
        folder: Path,
        size: int,
        with_features: bool,
        process: int = 0,
        num_processes: int = 1,
    ) -> None:
        self.pictures = pictures
        self.tokenizer = tokenizer
        self.with_features = with_features
        self.tokens = fill_pool(folder, pictures, tokenizer, size, process, num_processes)
        self.encoded = EncodedPictures(pictures, tokenizer, with_features)

    @property
    def num_train(self) -> int:
        """Pictures of the pool."""
        return len(self.tokens)

    @property
    def can_read_ahead(self) -> bool:
        """Features are made on the device of the run."""
        return False

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Tokens of pictures of the pool."""
        labels, captions = self.pictures.described(rows, random)
        tokens = self.tokens[rows].long().to(self.tokenizer.device)
        features = summed_features(self.tokenizer, tokens) if self.with_features else None
        return TokenBatch(tokens, features, labels, captions)

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed pictures of a split."""
        return self.encoded.fixed(split, limit)


def fill_pool(
    folder: Path,
    pictures: NumberedPictures,
    tokenizer: MultiScaleVQVAE,
    size: int,
    process: int = 0,
    num_processes: int = 1,
) -> Tensor:
    """Tokens of the first `size` pictures, (size, L) int32; what is missing is encoded now.

    The pool is a safetensors file per 4,096 pictures or 256 clips, each there in whole or not at
    all; every process makes the next free one. The pool may be filled further while a run takes
    what it needs.

    Args:
        folder: folder of the pool.
        pictures: the source.
        tokenizer: frozen.
        size: pictures to take.
        process: number of this process; the first one shows a bar.
        num_processes: processes of the run, which begin at different files.

    Raises:
        ValueError: if the size is no multiple of these, or the pool belongs to other weights or
            other pictures.
        SaveError: if a file cannot be written.
    """
    shard = check_pool_size(size, pictures.num_frames)
    firsts = range(0, size, shard)
    paths = [folder / f"tokens-{first:08d}.safetensors" for first in firsts]
    try:
        _claim(folder, {"tokenizer": weights_digest(tokenizer), **pictures.stamp})
        left = shard * sum(not path.exists() for path in paths)
        is_hidden = True if process else None  # None: at a terminal alone
        with tqdm(total=left, desc="encoding", unit="picture", disable=is_hidden) as bar:

            def make(number: int) -> None:
                numbers = range(firsts[number], firsts[number] + shard)
                tokens = _encode(pictures, tokenizer, numbers, bar)
                with making(paths[number]) as temporary:
                    save_file({"tokens": tokens.to(torch.uint16)}, temporary)

            share_work(
                paths,
                lambda number: paths[number].exists(),
                make,
                lambda _: bar.update(shard),
                first=process * len(paths) // num_processes,
            )
        return torch.cat([load_file(path)["tokens"].to(torch.int32) for path in paths])
    except OSError as error:
        raise SaveError(f"tokens cannot be kept in {folder}: {error}") from error


def check_pool_size(size: int, num_frames: int) -> int:
    """How many pictures or clips of a number of frames a file of a pool keeps.

    Raises:
        ValueError: if a pool of a size is not made of such files.
    """
    shard, kind = (SHARD_PICTURES, "pictures") if num_frames == 1 else (SHARD_CLIPS, "clips")
    if size <= 0 or size % shard:
        raise ValueError(f"a pool holds a multiple of {shard} {kind}, not {size}")
    return shard


@torch.inference_mode()
def _encode(
    pictures: NumberedPictures, tokenizer: MultiScaleVQVAE, numbers: range, bar: "tqdm[NoReturn]"
) -> Tensor:
    """Tokens of some pictures, (N, L) int64 on the CPU."""
    parts = []
    at_once = -(-PICTURES_AT_ONCE // pictures.num_frames)
    for start in range(0, len(numbers), at_once):
        images = pictures.numbered(numbers[start : start + at_once], tokenizer.device)
        parts.append(encode_pictures(tokenizer, images)[0].cpu())
        bar.update(len(images))
    return torch.cat(parts)


def _claim(folder: Path, stamp: Mapping[str, str]) -> None:
    """Note whose tokens a new pool keeps.

    Raises:
        ValueError: if it keeps those of others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STAMP_FILE
    if not path.exists():
        write_atomically(path, json.dumps(stamp).encode())
    elif json.loads(path.read_text("utf-8")) != stamp:
        raise ValueError(f"{folder} keeps tokens of other pictures or of another tokenizer")
