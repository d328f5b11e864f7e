"""Tokens of all pictures of a prepared set, encoded once by a frozen tokenizer and kept on disk."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from training.data.augment import move_at_random, random_flip
from training.data.prepared_pictures import PreparedPictures
from training.data.prepared_set import PictureArray, evenly
from training.data.token_source import TokenBatch
from training.loop.checkpoint import SaveError
from training.loop.picture_random import PictureRandom
from var_core.files import replacing
from var_core.images import uint8_to_tensor
from var_core.tokenizer import MultiScaleVQVAE

VIEWS_SEED = 1
SHARD_PICTURES = 8192
BATCH_PICTURES = 256
STAMP_FILE = "tokens.json"


@dataclass(frozen=True)
class Views:
    """The views of a picture that are encoded.

    Attributes:
        count: number of views, at least 1. View 0 is the picture itself; the others are moved.
        flip: whether half of the pictures of the other views are mirrored.
        all_latents: whether latents of all views are kept, not only those of view 0.
        kind: how pictures are moved, see `move_at_random`.
    """

    count: int
    flip: bool = False
    all_latents: bool = False
    kind: str = "white"


@dataclass(frozen=True)
class TokenCache:
    """Tokens of every picture under several views.

    Attributes:
        tokens: (views, pictures, L) int32; view 0 is the picture as it is.
        latents: (views or 1, pictures, D * H * W) float16, features before quantization.
    """

    tokens: Tensor
    latents: Tensor


class CachedTokens:
    """The tokens of a prepared set, as a source for a transformer run.

    Args:
        pictures: prepared set; row i of the cache belongs to its picture i.
        tokenizer: frozen tokenizer, on the device of the run.
        cache: tokens of all pictures of the set.
        plain_share: part of a training batch that is shown without zoom and shift.
        with_features: whether training batches have the features before quantization.
    """

    def __init__(
        self,
        pictures: PreparedPictures,
        tokenizer: MultiScaleVQVAE,
        cache: TokenCache,
        plain_share: float,
        with_features: bool,
    ) -> None:
        self.pictures = pictures
        self.tokenizer = tokenizer
        self.cache = cache
        self.plain_share = plain_share
        self.with_features = with_features

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch."""
        return self.pictures.num_train

    @property
    def can_read_ahead(self) -> bool:
        """Tokens are kept in memory."""
        return True

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Tokens of training pictures, each in a random view; on the CPU."""
        rows = torch.as_tensor(self.pictures.data.splits["train"])[rows]
        view = random.integers(len(self.cache.tokens))
        plain = random.uniform() < self.plain_share
        view = torch.where(plain, 0, view)
        features = None
        if self.with_features:
            shape = self.tokenizer.schedule.final_shape
            features = self.cache.latents[view, rows].float().unflatten(1, (-1, *shape))
        tokens = self.cache.tokens[view, rows].long()
        return TokenBatch(tokens, features, self.pictures.labels[rows])

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed pictures of a split, in the plain view."""
        rows = torch.as_tensor(evenly(self.pictures.data.splits[split], limit))
        tokens = self.cache.tokens[0, rows].long().to(self.tokenizer.device)
        return TokenBatch(tokens, None, self.pictures.labels[rows])

    def train_latents(self) -> tuple[Tensor, Tensor]:
        """Features (N, D * H * W) of all training pictures in the plain view, and their labels."""
        train = torch.as_tensor(self.pictures.data.splits["train"])
        return self.cache.latents[0, train], self.pictures.labels[train]


def weights_digest(tokenizer: MultiScaleVQVAE) -> str:
    """A short hash of the weights that make tokens: encoder and codes, not the decoder."""
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict().items()):
        if name.startswith(("decoder.", "post_quant.", "sketch.")):
            continue
        digest.update(name.encode())
        digest.update(value.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@torch.inference_mode()
def encode_shard(
    tokenizer: MultiScaleVQVAE,
    images: PictureArray,
    view: int,
    views: Views,
    first: int,
    bar: "tqdm[NoReturn]",
) -> dict[str, Tensor]:
    """Encode one view of some pictures: tokens, and latents where they are kept.

    Args:
        tokenizer: frozen tokenizer.
        images: (N, H, W, 3) uint8.
        view: number of the view.
        views: all views.
        first: number of the first picture in the set, which its crop depends on.
        bar: progress in pictures.
    """
    tokens, latents = [], []
    for start in range(0, len(images), BATCH_PICTURES):
        batch = uint8_to_tensor(images[start : start + BATCH_PICTURES])
        if view > 0:
            numbers = range(first + start, first + start + len(batch))
            random = PictureRandom(VIEWS_SEED, view, numbers)
            batch = move_at_random(batch, views.kind, random)
            batch = random_flip(batch, random) if views.flip else batch
        features = tokenizer.encode_features(batch.to(tokenizer.device))
        token_maps = tokenizer.quantizer.encode(features).token_maps
        tokens.append(torch.cat([token_map.flatten(1) for token_map in token_maps], dim=1).cpu())
        if view == 0 or views.all_latents:
            latents.append(features.flatten(1).half().cpu())
        bar.update(len(batch))
    shard = {"tokens": torch.cat(tokens).to(torch.int32)}
    return shard | ({"latents": torch.cat(latents)} if latents else {})


def load_or_build_token_cache(
    folder: Path, tokenizer: MultiScaleVQVAE, images: PictureArray, views: Views
) -> TokenCache:
    """Read the cache in a folder; encode what is missing in it.

    The cache has a safetensors file per view and 8,192 pictures. Each file is complete or missing,
    so an interrupted encoding continues with the first missing file.

    Args:
        folder: folder of the cache; files of another tokenizer or other pictures are replaced.
        tokenizer: frozen tokenizer.
        images: (N, H, W, 3) uint8.
        views: views to encode.

    Raises:
        SaveError: if a file cannot be written.
    """
    digest = hashlib.sha256()
    for start in range(0, len(images), SHARD_PICTURES):
        digest.update(images[start : start + SHARD_PICTURES].tobytes())
    stamp = {"tokenizer": weights_digest(tokenizer), "pictures": digest.hexdigest()[:16]}
    stamp |= {"flip": views.flip, "all_latents": views.all_latents, "kind": views.kind}
    try:
        _claim(folder, stamp)
        with tqdm(
            total=views.count * len(images), desc="encoding", unit="picture", disable=None
        ) as bar:
            rows = [
                _encode_view(folder, tokenizer, images, view, views, bar)
                for view in range(views.count)
            ]
    except OSError as error:
        raise SaveError(f"tokens cannot be saved in {folder}: {error}") from error
    tokens = torch.stack([torch.cat([shard["tokens"] for shard in shards]) for shards in rows])
    latents = [
        torch.cat([shard["latents"] for shard in shards])
        for shards in rows[: len(rows) if views.all_latents else 1]
    ]
    return TokenCache(tokens, torch.stack(latents))


def _claim(folder: Path, stamp: dict) -> None:
    """Empty the cache if it belongs to another tokenizer, other pictures or other views."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STAMP_FILE
    if path.is_file() and _content(path) == stamp:
        return
    path.unlink(missing_ok=True)
    for old in folder.glob("*.safetensors"):
        old.unlink()
    path.write_text(json.dumps(stamp))


def _content(path: Path) -> object:
    """What a JSON file holds; None for a damaged one."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def _encode_view(
    folder: Path,
    tokenizer: MultiScaleVQVAE,
    images: PictureArray,
    view: int,
    views: Views,
    bar: "tqdm[NoReturn]",
) -> list[dict[str, Tensor]]:
    shards = []
    for first in range(0, len(images), SHARD_PICTURES):
        path = folder / f"view-{view:02d}-{first:08d}.safetensors"
        part = images[first : first + SHARD_PICTURES]
        shard = _stored(path)
        if shard is not None:
            bar.total -= len(part)  # only what is encoded now counts, so the time left is true
            bar.refresh()
        else:
            with replacing(path) as temporary:
                save_file(encode_shard(tokenizer, part, view, views, first, bar), temporary)
            shard = load_file(path)
        shards.append(shard)
    return shards


def _stored(path: Path) -> dict[str, Tensor] | None:
    """A shard that was encoded before; None where there is none, or a damaged one."""
    try:
        return load_file(path) if path.is_file() else None
    except SafetensorError:
        return None
