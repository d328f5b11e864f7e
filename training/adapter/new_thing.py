"""What a network starts from when it learns a new thing: its label, and its pictures as tokens."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.adapter.settings import AdapterRunSettings
from training.data.augment import lie_on_white, move_at_random, random_flip
from training.data.picture_folder import readable_endings, walk
from training.data.token_source import encode_pictures
from training.loop.picture_random import PictureRandom
from var_core.images import central_part, read_image, uint8_to_tensor
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.transformer import VARTransformer
from var_core.transformer.new_label import LabelRows, code_shape

OPEN_SHARE = 0.5  # of the labels that a new thing leaves open


@dataclass(frozen=True)
class Drawings:
    """Drawings of a model as tokens.

    Attributes:
        tokens: (N, L) int64.
        labels: (N, A) int64, what they were asked to show.
    """

    tokens: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Encoded:
    """Views of some pictures as tokens; the first view is the picture itself.

    Attributes:
        tokens: (V, N, L) int64.
        features: (V, N, F) before quantization.
    """

    tokens: Tensor
    features: Tensor


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


def chosen_attribute(labels: LabelSpace, name: str) -> str:
    """The attribute that a new thing is a value of.

    Raises:
        ValueError: if the model has no labels.
    """
    if name:
        return name
    if not labels.attributes:
        raise ValueError("a model without labels cannot learn a new one")
    sources = [source for source, _ in labels.implies]
    return labels.attributes[sources[0] if sources else 0].name


def encode_views(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> Encoded:
    """Pictures (N, H, W, 3) uint8 as they are, and moved at random."""
    images = uint8_to_tensor(pictures).contiguous()
    kind = settings.augmentation
    if kind == "auto":
        kind = "white" if lie_on_white(pictures) else "crop"
    tokens, features = [], []
    for view in range(settings.num_views):
        random = PictureRandom(settings.seed, view, range(len(images)))
        moved = move_at_random(images, kind, random) if view else images
        if view and settings.flip:
            moved = random_flip(moved, random)
        found = encode_pictures(pipeline.tokenizer, moved)
        tokens.append(found[0])
        features.append(found[1].flatten(1))
    return Encoded(torch.stack(tokens), torch.stack(features))


def typical_pictures(features: Tensor, count: int) -> Tensor:
    """Pictures near which all others are, chosen one after another: (N, F) -> (count,) int64.

    Where there are fewer, they come again.
    """
    distances = torch.cdist(features, features)
    nearest = torch.full((len(features),), torch.inf)
    chosen: list[int] = []
    for _ in range(min(count, len(features))):
        left = torch.minimum(distances, nearest).sum(dim=1)  # of each further choice
        left[chosen] = torch.inf
        chosen.append(int(left.argmin()))
        nearest = torch.minimum(nearest, distances[chosen[-1]])
    return torch.tensor(chosen)[torch.arange(count) % len(chosen)]


def first_rows(
    transformer: VARTransformer, column: int, like: tuple[int, ...], typical: Tensor
) -> LabelRows:
    """The rows that a new label starts from: those of a known one, and how its pictures look.

    A label map is the expected picture. A mean of pictures would be a blur, so it takes a typical
    one; with pairs, one for each value of the last attribute.

    Args:
        transformer: network.
        column: attribute of the new label.
        like: label of the known thing.
        typical: (P, F), features of as many typical pictures as `num_typical` says.
    """
    state = transformer.state_dict()  # plain, whatever the layout of the weights
    embedding = state[f"label_embeds.{column}.weight"][like[column]].clone()
    shape = code_shape(transformer, column)
    if shape is None:
        return LabelRows(embedding)
    basis, bias = state["label_maps.basis.weight"], state["label_maps.basis.bias"]
    codes = torch.linalg.lstsq(basis, (typical - bias).t()).solution.t()  # of all attributes
    last = len(transformer.label_counts) - 1
    for other in set(range(last + 1)) - {column, last}:  # which have a share in the same picture
        codes = codes - state[f"label_maps.codes.{other}.weight"][like[other]]
    table = state[f"label_maps.codes.{last}.weight"]
    if len(shape) == 2:
        return LabelRows(embedding, codes - table[: len(codes)])
    return LabelRows(embedding, (codes if column == last else codes - table[-1])[0])


def num_typical(transformer: VARTransformer, column: int) -> int:
    """How many typical pictures the label map of a new label is made of."""
    shape = code_shape(transformer, column)
    return shape[0] if shape is not None and len(shape) == 2 else 1


def own_drawings(pipeline: VARPipeline, count: int, seed: int) -> Drawings:
    """Drawings of random things, as tokens, with what they were asked to show."""
    generators = generators_from_seeds(range(seed, seed + count))
    drawn = pipeline.draw([None] * count, generator=generators, output_type="pt")
    tokens = torch.cat([token_map.flatten(1) for token_map in drawn.token_maps], dim=1)
    labels = torch.tensor([wish.label for wish in drawn.wishes])
    return Drawings(tokens, labels)


def new_labels(labels: LabelSpace, attribute: str, name: str, random: PictureRandom) -> Tensor:
    """Labels of pictures of a new thing, (B, A): what it leaves open is open or any value."""
    thing = labels.resolve({attribute: name})
    rows = torch.tensor(thing).repeat(len(random), 1)
    for column, (index, size) in enumerate(zip(thing, labels.counts, strict=True)):
        if index == size:
            is_open = random.uniform() < OPEN_SHARE
            rows[:, column] = torch.where(is_open, size, random.integers(size))
    return rows
