"""Several pictures in one go, each with its own label, seed and options."""

from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from var_core.outputs import Preview, pil_images

Key = TypeVar("Key", bound=Hashable)


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
