"""Several pictures in one go, each with its own label, seed and options."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from var_core.outputs import Preview, pil_images
from var_core.pipeline import VARPipeline
from var_core.sampling import SamplingOptions, generators_from_seeds
from var_core.wishes import Wish


def fill_shared_labels(
    pipeline: VARPipeline, wishes: Sequence[Wish], seed: int
) -> tuple[Wish, ...]:
    """Draw open attributes once for all pictures, apart from the last attribute.

    Args:
        pipeline: pipeline whose model knows which labels occur together.
        wishes: one per picture; all but the last attribute are those of the first one.
        seed: seed of the draw.
    """
    open_last = (*wishes[0].label[:-1], pipeline.labels.null[-1])
    generators = generators_from_seeds([seed], pipeline.device)
    (filled,) = pipeline.fill_open([replace(wishes[0], label=open_last)], generators)
    return tuple(replace(wish, label=(*filled.label[:-1], wish.label[-1])) for wish in wishes)


def group_options(options: Sequence[SamplingOptions]) -> dict[SamplingOptions, list[int]]:
    """Indices of the pictures that share their options: a pipeline draws with one set at a time."""
    groups: dict[SamplingOptions, list[int]] = {}
    for index, one in enumerate(options):
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
