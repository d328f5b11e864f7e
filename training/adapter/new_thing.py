"""What a network learns a new thing from: its pictures as tokens, and drawings of what it knows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from training.adapter.settings import AdapterRunSettings
from training.data.augment import lie_on_white, move_at_random, random_flip
from training.data.picture_folder import readable_endings, walk
from training.data.token_source import encode_pictures
from training.loop.heartbeat import counting
from training.loop.picture_random import PictureRandom
from var_core.condition import Condition, join_conditions
from var_core.images import central_part, read_image, uint8_to_tensor
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.transformer import VARTransformer

OPEN_SHARE = 0.5  # of the labels that a new thing leaves open
DRAWN_AT_ONCE = 16


@dataclass(frozen=True)
class Drawings:
    """Drawings of a model as tokens.

    Attributes:
        tokens: (N, L) int64.
        condition: N rows, what they were asked to show.
    """

    tokens: Tensor
    condition: Condition


@dataclass(frozen=True)
class Chosen:
    """What a batch is made of.

    Attributes:
        kept: (K,) int64, kept drawings.
        view: (M,) int64, view of each new picture.
        picture: (M,) int64, number of each new picture.
        random: random numbers of the M new pictures.
    """

    kept: Tensor
    view: Tensor
    picture: Tensor
    random: PictureRandom


class Lesson(Protocol):
    """A new thing among what a model knows."""

    @property
    def place(self) -> str:
        """The attribute or menu that gets the new name; "" for none."""
        ...

    @property
    def grown(self) -> VARTransformer:
        """The network that learns, a frozen copy of the model's."""
        ...

    @property
    def learned(self) -> nn.Parameter:
        """What is learned beside changes of weights."""
        ...

    @property
    def new(self) -> Tensor:
        """The pictures of the new thing, as `encode_views` returns them."""
        ...

    @property
    def kept(self) -> Drawings:
        """Drawings of what the model knows."""
        ...

    def condition(self, chosen: Chosen) -> Condition:
        """What the pictures of a batch are asked for with: K + M rows."""
        ...

    def thing(self) -> Tensor:
        """What was learned beside changes of weights, as an adapter keeps it."""
        ...


def read_pictures(folder: Path, shape: tuple[int, int]) -> np.ndarray:
    """The central parts of all pictures of a folder, (N, H, W, 3) uint8.

    Raises:
        ValueError: if there is none, or one cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    endings = readable_endings()
    paths = [path for path in walk(folder, Counter()) if path.suffix.lower() in endings]
    if not paths:
        raise ValueError(f"{folder} holds no pictures")
    pictures = [central_part(read_image(path, limits=None), shape) for path in paths]
    return np.stack([np.asarray(picture) for picture in pictures])


def encode_views(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> Tensor:
    """Pictures (N, H, W, 3) uint8 as tokens: as they are, and in further views, moved at random.

    Returns:
        (V, N, L) int64.
    """
    images = uint8_to_tensor(pictures).contiguous()
    kind = settings.augmentation
    if kind == "auto":
        kind = "white" if lie_on_white(pictures) else "crop"
    tokens = []
    with counting("encoding pictures", settings.num_views, "view") as reach:
        for view in range(settings.num_views):
            random = PictureRandom(settings.seed, view, range(len(images)))
            moved = move_at_random(images, kind, random) if view else images
            if view and settings.flip:
                moved = random_flip(moved, random)
            tokens.append(encode_pictures(pipeline.tokenizer, moved)[0])
            reach(view + 1)
    return torch.stack(tokens)


def own_drawings(
    pipeline: VARPipeline, prompts: Sequence[Sequence[str] | None], seed: int
) -> Drawings:
    """Drawings with open labels as tokens, with what they were asked to show.

    Args:
        pipeline: model that draws.
        prompts: phrases of each drawing; None for a model without text.
        seed: seed of the first drawing.
    """
    tokens, conditions = [], []
    with counting("drawing what it knows", len(prompts), "picture") as reach:
        for start in range(0, len(prompts), DRAWN_AT_ONCE):
            some = prompts[start : start + DRAWN_AT_ONCE]
            generators = generators_from_seeds(range(seed + start, seed + start + len(some)))
            drawn = pipeline.draw(
                [None] * len(some), generator=generators, output_type="pt", prompt=some
            )
            tokens.append(torch.cat([one.flatten(1) for one in drawn.token_maps], dim=1))
            conditions.append(pipeline.wish_encoder.condition(drawn.wishes, pipeline.device))
            reach(start + len(some))
    return Drawings(torch.cat(tokens), join_conditions(conditions))


def any_values(thing: Sequence[int], counts: Sequence[int], random: PictureRandom) -> Tensor:
    """Labels of pictures of a new thing, (B, A): what it leaves open is open or any value.

    Args:
        thing: its labels.
        counts: number of values of each attribute.
        random: random numbers of the B pictures.
    """
    rows = torch.tensor(thing, dtype=torch.int64).repeat(len(random), 1)
    for column, (index, size) in enumerate(zip(thing, counts, strict=True)):
        if index == size:
            is_open = random.uniform() < OPEN_SHARE
            rows[:, column] = torch.where(is_open, size, random.integers(size))
    return rows
