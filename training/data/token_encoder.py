"""Encodes all pictures of a set once, with as many processes as there are.

Whichever process comes first to a file of tokens makes it; it is whole or not there. So none waits
for another but at the end, and a run that was killed goes on with what is missing.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.data import token_files
from training.data.augment import move_at_random, random_flip
from training.data.prepared_set import UNREADABLE, PreparedSet
from training.data.readers.record import short_hash
from training.data.shared_work import share_work
from training.data.token_files import (
    Shape,
    TokenFiles,
    Views,
    latents_path,
    open_latents_file,
    open_tokens_file,
    save_array,
    tokens_path,
)
from training.data.token_source import encode_pictures
from training.loop.checkpoint import SaveError
from training.loop.heartbeat import Heartbeat
from training.loop.picture_random import PictureRandom
from var_core.files import write_atomically
from var_core.images import uint8_to_tensor
from var_core.tokenizer import MultiScaleVQVAE

VIEWS_SEED = 1
BATCH_PIXELS = 2**21  # encoded at once; what they take in memory does not depend on the side
MIN_BATCH, MAX_BATCH = 4, 256
MANIFEST = "tokens.json"


def weights_digest(tokenizer: MultiScaleVQVAE, dtype: torch.dtype = torch.float32) -> str:
    """A short hash of the weights that make tokens: encoder and codes, not the decoder.

    Args:
        tokenizer: tokenizer.
        dtype: what weights are rounded to before.
    """
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict().items()):
        if name.startswith(("decoder.", "post_quant.", "sketch.")):
            continue
        digest.update(name.encode())
        digest.update(value.to(dtype).float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


class Encoder:
    """Makes the files of a set.

    Args:
        folder: folder of tokens; those of this set and tokenizer lie in a folder of their own in
            it, so that others stay as they are.
        tokenizer: frozen tokenizer.
        data: the set.
        views: views to encode.
        threads: threads that read pictures ahead; 0 reads them when they are needed.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: MultiScaleVQVAE,
        data: PreparedSet,
        views: Views,
        threads: int = 0,
    ) -> None:
        self.tokenizer, self.images, self.views, self.threads = (
            tokenizer,
            data.images,
            views,
            threads,
        )
        self.shape = Shape.of(tokenizer, len(data.images))
        self.stamp = {
            "tokenizer": weights_digest(tokenizer),
            "pictures": data.stamp,
            "flip": views.flip,
            "kind": views.kind,
        }
        self.folder = folder / short_hash(sorted(self.stamp.items()))
        self.batch_size = min(max(BATCH_PIXELS // data.images.shape[1] ** 2, MIN_BATCH), MAX_BATCH)
        self.pieces = [
            (view, first) for view in range(views.count) for first in self.shape.firsts()
        ]

    def encode(self, process: int = 0, num_processes: int = 1) -> TokenFiles:
        """Encode what no other process does; returns when everything is there.

        Args:
            process: number of this process; the first one shows a bar.
            num_processes: processes of the run, which begin at different pictures.

        Raises:
            SaveError: if a file cannot be written.
        """
        left = sum(self._size(number) for number in range(len(self.pieces)) if not self.has(number))
        is_hidden = True if process or not left else None  # None: at a terminal alone
        try:
            self._claim()
            with tqdm(total=left, desc="encoding", unit="picture", disable=is_hidden) as bar:
                heartbeat = Heartbeat(bar)
                heartbeat.start("" if process or not left else "encoding")
                try:
                    self._share(bar, heartbeat, left, process / num_processes)
                finally:
                    heartbeat.close()
        except OSError as error:
            raise SaveError(f"tokens cannot be saved in {self.folder}: {error}") from error
        return TokenFiles(self.folder, self.shape, self.views)

    def _share(self, bar: "tqdm[NoReturn]", heartbeat: Heartbeat, left: int, begin: float) -> None:
        """Encode what no other process does, from a part of the way on."""
        done = 0

        def note(number: int) -> None:
            nonlocal done
            done += self._size(number)
            heartbeat.note(f"{done:,} of {left:,} pictures")

        def make(number: int) -> None:
            self._make(number, bar)
            note(number)

        def count(number: int) -> None:
            bar.update(self._size(number))
            note(number)

        paths = [tokens_path(self.folder, *piece) for piece in self.pieces]
        share_work(paths, self.has, make, count, first=int(begin * len(paths)))

    def has(self, number: int) -> bool:
        """Whether a piece is whole."""
        view, first = self.pieces[number]
        try:
            open_tokens_file(self.folder, self.shape, view, first)
            if self.views.has_features:
                open_latents_file(self.folder, self.shape, view, first)
        except UNREADABLE:
            return False
        return True

    def _size(self, number: int) -> int:
        return len(self.shape.rows(self.pieces[number][1]))

    def _claim(self) -> None:
        """Make the folder, and say in it what it holds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / MANIFEST
        if not path.exists():
            manifest = self.stamp | {
                "num_pictures": self.shape.num_pictures,
                "tokens_per_picture": self.shape.num_tokens,
                "type": self.shape.token_kind,
                "pictures_per_file": token_files.SHARD_PICTURES,
            }
            write_atomically(path, json.dumps(manifest, indent=1).encode())

    @torch.inference_mode()
    def _make(self, number: int, bar: "tqdm[NoReturn]") -> None:
        view, first = self.pieces[number]
        tokens, latents = [], []
        for images in self._batches(view, first):
            found, features = encode_pictures(self.tokenizer, images.to(self.tokenizer.device))
            tokens.append(found.cpu().numpy().astype(self.shape.token_kind))
            if self.views.has_features:
                latents.append(features.flatten(1).half().cpu().numpy())
            bar.update(len(images))
        if latents:  # first, as a piece counts as done by its tokens
            save_array(latents_path(self.folder, view, first), np.concatenate(latents))
        save_array(tokens_path(self.folder, view, first), np.concatenate(tokens))

    def _batches(self, view: int, first: int) -> Iterator[Tensor]:
        """One view of the pictures of a file, (B, 3, H, W) in [-1, 1], in order."""
        rows = self.shape.rows(first)
        starts = range(rows.start, rows.stop, self.batch_size)
        if not self.threads:
            yield from (self._batch(view, start, rows.stop) for start in starts)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            yield from in_order(
                (pool.submit(self._batch, view, start, rows.stop) for start in starts),
                2 * self.threads,
            )

    def _batch(self, view: int, start: int, stop: int) -> Tensor:
        numbers = range(start, min(start + self.batch_size, stop))
        batch = uint8_to_tensor(self.images[numbers.start : numbers.stop]).contiguous()
        if view > 0:
            random = PictureRandom(VIEWS_SEED, view, numbers)
            batch = move_at_random(batch, self.views.kind, random)
            batch = random_flip(batch, random) if self.views.flip else batch
        return batch


def reading_threads(workers: int, device: str) -> int:
    """Threads that read pictures beside an encoder; -1 workers: 4 beside a GPU, else none."""
    return workers if workers >= 0 else 4 * (device == "cuda")


def in_order(started: Iterable[Future[Tensor]], at_once: int) -> Iterator[Tensor]:
    """The results of work that is started when it is asked for, so many pieces ahead."""
    waiting = deque[Future[Tensor]]()
    for future in started:
        waiting.append(future)
        if len(waiting) == at_once:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
