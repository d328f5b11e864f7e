"""Sources of tokens for a transformer run: cached, or encoded when they are needed."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from training.data.picture_source import PictureSource
from training.loop.picture_random import PictureRandom
from training.loop.transfer import pinned
from var_core.scales import ScaleSchedule
from var_core.tokenizer import MultiScaleVQVAE

ENCODED_AT_ONCE = 64  # fixed pictures


@dataclass(frozen=True)
class TokenBatch:
    """Some pictures as their tokens.

    Attributes:
        tokens: (B, L) int64, all scales, coarse to fine.
        features: (B, D, H, W), of clips (B, D, T, H, W), float32 before quantization; None where
            the run needs none.
        labels: (B, A) int64, an index per attribute; on the CPU.
        captions: (B, P) int64, ids of phrases, -1 in empty slots, on the CPU; or None.
    """

    tokens: Tensor
    features: Tensor | None
    labels: Tensor
    captions: Tensor | None = None

    def to(self, device: torch.device, non_blocking: bool = False) -> Self:
        """The same with tokens and features on a device."""
        features = self.features
        if features is not None:
            features = features.to(device, non_blocking=non_blocking)
        tokens = self.tokens.to(device, non_blocking=non_blocking)
        return replace(self, tokens=tokens, features=features)

    def pin_memory(self) -> Self:
        """The same with tokens and features where a GPU fetches them fast."""
        features = None if self.features is None else pinned(self.features)
        return replace(self, tokens=pinned(self.tokens), features=features)

    def rows(self, index: Tensor) -> "TokenBatch":
        """Some of the pictures, by number; (N,) int64 on the CPU."""
        features = None if self.features is None else self.features[index.to(self.features.device)]
        captions = None if self.captions is None else self.captions[index]
        tokens = self.tokens[index.to(self.tokens.device)]
        return TokenBatch(tokens, features, self.labels[index], captions)


class TokenSource(Protocol):
    """Tokens to train on, and fixed tokens to measure with.

    Its results depend on the arguments alone, as those of `PictureSource`.
    """

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch; 0 where they never end."""
        ...

    @property
    def can_read_ahead(self) -> bool:
        """Whether training batches can be made in other processes, without the run's device."""
        ...

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Tokens of training pictures, see `PictureSource.train_batch`."""
        ...

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the pictures that `PictureSource.fixed` returns."""
        ...


class EncodedPictures:
    """Tokens of pictures that are encoded in every step and never kept.

    Args:
        pictures: source of the pictures.
        tokenizer: frozen tokenizer, on the device of the run.
        with_features: whether training batches have the features before quantization.
    """

    def __init__(
        self, pictures: PictureSource, tokenizer: MultiScaleVQVAE, with_features: bool
    ) -> None:
        self.pictures = pictures
        self.tokenizer = tokenizer
        self.with_features = with_features

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch; 0 where they never end."""
        return self.pictures.num_train

    @property
    def can_read_ahead(self) -> bool:
        """The tokenizer is on the device of the run."""
        return False

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Tokens of training pictures."""
        batch = self.pictures.train_batch(rows, random, self.tokenizer.device)
        tokens, features = encode_pictures(self.tokenizer, batch.images)
        kept = features if self.with_features else None
        return TokenBatch(tokens, kept, batch.labels, batch.captions)

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed pictures of a split."""
        batch = self.pictures.fixed(split, limit)
        if not len(batch.labels):
            no_tokens = torch.empty(0, self.tokenizer.schedule.num_tokens, dtype=torch.int64)
            return TokenBatch(no_tokens, None, batch.labels, batch.captions)
        parts = [
            encode_pictures(self.tokenizer, images.to(self.tokenizer.device))[0]
            for images in batch.images.split(-(-ENCODED_AT_ONCE // self.pictures.num_frames))
        ]
        return TokenBatch(torch.cat(parts), None, batch.labels, batch.captions)


@torch.no_grad()
def encode_pictures(tokenizer: MultiScaleVQVAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """Encode pictures, or clips, in [-1, 1]: tokens (B, L) int64, features as of `TokenBatch`."""
    features = tokenizer.encode_features(images)
    token_maps = tokenizer.quantizer.encode(features).token_maps
    return torch.cat([token_map.flatten(1) for token_map in token_maps], dim=1), features.float()


@torch.no_grad()
def summed_features(tokenizer: MultiScaleVQVAE, tokens: Tensor) -> Tensor:
    """What is kept of the features of pictures: the sums of all scales, as its features."""
    return tokenizer.quantizer.sum_scales(token_maps(tokenizer.schedule, tokens))[-1]


def token_maps(schedule: ScaleSchedule, tokens: Tensor) -> list[Tensor]:
    """Flat tokens (B, L) of all or of the first scales, as maps (B, h, w) or (B, t, h, w)."""
    places = map(schedule.token_range, range(schedule.num_scales))
    return [
        tokens[:, place].unflatten(1, shape)
        for place, shape in zip(places, schedule.shapes, strict=True)
        if place.stop <= tokens.shape[1]
    ]
