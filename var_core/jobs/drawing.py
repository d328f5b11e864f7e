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


def draw_mixed(
    pipeline: VARPipeline,
    wishes: Sequence[Wish],
    seeds: Sequence[int],
    options: Sequence[SamplingOptions],
    keep: Sequence[Tensor],
) -> Iterator[Preview]:
    """Draw pictures whose options may differ; yields all of them after every scale.

    The pipeline draws with one set of options at a time, so pictures are grouped by their options,
    and the groups advance together.

    Args:
        pipeline: pipeline that draws.
        wishes: what each picture is to show.
        seeds: seed of each picture.
        options: options of each picture.
        keep: token maps of the first scales to keep, (B, S, S) each.

    Raises:
        ValueError: here, not at the first scale, if something does not fit the model.
    """
    groups: dict[SamplingOptions, list[int]] = {}
    for index, one in enumerate(options):
        groups.setdefault(one, []).append(index)
    streams = [
        pipeline.stream(
            [wishes[index] for index in members],
            one,
            generators_from_seeds([seeds[index] for index in members], pipeline.device),
            keep=[tokens[members].to(pipeline.device) for tokens in keep],
        )
        for one, members in groups.items()
    ]
    drawn = [index for members in groups.values() for index in members]
    order = [drawn.index(index) for index in range(len(drawn))]
    return _join(streams, order)


def _join(streams: Sequence[Iterator[Preview]], order: Sequence[int]) -> Iterator[Preview]:
    """Previews of all groups as one, with the pictures in the order that was asked for."""
    token_maps: list[Tensor] = []
    for parts in zip(*streams, strict=True):
        images = [image for part in parts for image in pil_images(part)]
        drawn = [wish for part in parts for wish in part.wishes]
        token_maps.append(torch.cat([part.token_maps[-1] for part in parts])[list(order)])
        latents = [part.latent for part in parts if part.latent is not None]
        yield Preview(
            [images[index] for index in order],
            list(token_maps),
            parts[0].number,
            parts[0].total,
            [drawn[index] for index in order],
            torch.cat(latents)[list(order)] if latents else None,
        )
