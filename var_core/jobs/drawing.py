"""Several pictures in one go, each with its own label, seed and options."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from var_core.outputs import Preview, pil_images
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.wishes import Wish

Key = TypeVar("Key", bound=Hashable)


def fill_shared_labels(
    pipeline: VARPipeline, wishes: Sequence[Wish], seed: int
) -> tuple[Wish, ...]:
    """Draw what all pictures leave open once for all of them.

    Attributes that differ from picture to picture, and those that decide them or are decided by
    them, stay as they are.

    Args:
        pipeline: pipeline whose model knows which labels occur together.
        wishes: one per picture.
        seed: seed of the draw.
    """
    space = pipeline.labels
    differing = {
        column
        for column, values in enumerate(zip(*(wish.label for wish in wishes), strict=True))
        if len(set(values)) > 1
    }
    apart = differing | {column for pair in space.implies if differing & {*pair} for column in pair}
    shared = [
        space.null[column] if column in apart else value
        for column, value in enumerate(wishes[0].label)
    ]
    generators = generators_from_seeds([seed], pipeline.device)
    (filled,) = pipeline.fill_open([replace(wishes[0], label=tuple(shared))], generators)
    return tuple(
        replace(
            wish,
            label=tuple(
                value if column in apart else filled.label[column]
                for column, value in enumerate(wish.label)
            ),
        )
        for wish in wishes
    )


def group_alike(keys: Sequence[Key]) -> dict[Key, list[int]]:
    """Indices of the pictures of each key; a pipeline draws with one set of options at a time."""
    groups: dict[Key, list[int]] = {}
    for index, one in enumerate(keys):
        groups.setdefault(one, []).append(index)
    return groups


def join_groups(
    streams: Sequence[Iterator[Preview]], groups: Sequence[Sequence[int]]
) -> Iterator[Preview]:
    """Previews of groups that advance together, with the pictures in the order of their indices.

    Args:
        streams: previews of each group.
        groups: indices of the pictures of each group.
    """
    drawn = [index for group in groups for index in group]
    order = [drawn.index(index) for index in range(len(drawn))]
    token_maps: list[Tensor] = []
    for parts in zip(*streams, strict=True):
        images = [image for part in parts for image in pil_images(part)]
        wishes = [wish for part in parts for wish in part.wishes]
        token_maps.append(torch.cat([part.token_maps[-1] for part in parts])[order])
        latents = [part.latent for part in parts if part.latent is not None]
        yield Preview(
            [images[index] for index in order],
            list(token_maps),
            parts[0].number,
            parts[0].total,
            [wishes[index] for index in order],
            torch.cat(latents)[order] if latents else None,
        )
