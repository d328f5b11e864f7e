"""One press of a button: what is asked, what is shown on the way, what is kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from var_core.pipeline import Preview, VARPipeline
from var_core.ranges import check_float, check_int
from var_core.sampling import MAX_SEED, SamplingOptions, generators_from_seeds
from var_core.sampling.logits import MAX_GUIDANCE
from var_core.serving.sheets import contact_sheet

MAX_COUNT = 8
MAX_SWEEP = 4  # values a side


@dataclass(frozen=True)
class Request:
    """Pictures to draw together.

    Attributes:
        labels: one per picture, indices.
        seeds: likewise.
        options: likewise, how tokens are drawn.
        keep: token maps of the first scales to keep, (B, S, S) each.
        captions: words under the pictures of the sheet, none or one for each.
        columns: pictures side by side in the sheet; 0 leaves it to the sheet.
    """

    labels: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]
    options: tuple[SamplingOptions, ...]
    keep: tuple[Tensor, ...] = ()
    captions: tuple[str, ...] = ()
    columns: int = 0


@dataclass(frozen=True)
class Run:
    """What has been drawn of a request.

    Attributes:
        request: what was asked.
        labels: as in the request, with what was drawn for open ones.
        frames: true decodes after each scale so far, one picture per label.
        token_maps: of the scales so far.
    """

    request: Request
    labels: tuple[tuple[int, ...], ...] = ()
    frames: tuple[tuple[Image.Image, ...], ...] = ()
    token_maps: tuple[Tensor, ...] = ()

    def sheet(self, scale: int) -> Image.Image:
        """The picture after a scale (from 1), or all pictures side by side."""
        frames = self.frames[check_int("scale", scale, 1, len(self.frames)) - 1]
        return contact_sheet(frames, self.request.columns, self.request.captions)


def count_up(label: tuple[int, ...], seed: int, count: int, options: SamplingOptions) -> Request:
    """The same label several times, with seeds counting up.

    Raises:
        ValueError: if a seed or the count is out of range.
    """
    count = check_int("count", count, 1, MAX_COUNT)
    return Request((label,) * count, _counting(seed, count), (options,) * count)


def style_sheet(
    pipeline: VARPipeline, label: tuple[int, ...], seed: int, options: SamplingOptions
) -> Request:
    """A label with every value of its last attribute, all from the same seed.

    Args:
        pipeline: its last attribute is taken; it draws the other ones where they are open, once
            for the whole sheet.
        label: the other attributes are taken from it.
        seed: of every picture.
        options: of every picture.

    Raises:
        ValueError: if the seed is out of range, or there are too many values for one sheet.
    """
    seed, names = check_int("seed", seed, 0, MAX_SEED), pipeline.labels.attributes[-1].values
    count = len(names)
    if count > MAX_COUNT:
        raise ValueError(f"a sheet has at most {MAX_COUNT} pictures, not {count}")
    given = torch.tensor([(*label[:-1], count)], device=pipeline.device)
    generators = generators_from_seeds([seed], pipeline.device)
    label = tuple(pipeline.fill_open_labels(given, generators)[0].tolist())
    labels = tuple((*label[:-1], value) for value in range(count))
    return Request(labels, (seed,) * count, (options,) * count, captions=names)


def sweep(
    label: tuple[int, ...],
    guidances: Sequence[float],
    num_seeds: int,
    seed: int,
    options: SamplingOptions,
) -> Request:
    """A grid: a row for every guidance, a column for every seed.

    Args:
        label: of every picture.
        guidances: 1 to 4 different values from 0 to 20.
        num_seeds: 1 to 4.
        seed: the first one; the others count up.
        options: of every picture but for the guidance.

    Raises:
        ValueError: if a value is out of range.
    """
    wanted = f"a grid takes 1 to {MAX_SWEEP} different guidance values"
    if not isinstance(guidances, list | tuple) or not 1 <= len(guidances) <= MAX_SWEEP:
        raise ValueError(wanted)
    values = [check_float("guidance_scale", value, 0.0, MAX_GUIDANCE) for value in guidances]
    if len(set(values)) != len(values):
        raise ValueError(wanted)
    columns = check_int("num_seeds", num_seeds, 1, MAX_SWEEP)
    seeds = _counting(seed, columns)
    grid = [(value, one) for value in values for one in seeds]
    return Request(
        (label,) * len(grid),
        tuple(one for _, one in grid),
        tuple(replace(options, guidance_scale=value) for value, _ in grid),
        captions=tuple(f"guidance {value:g}\nseed {one}" for value, one in grid),
        columns=columns,
    )


def branch(
    run: Run | None,
    scale: int,
    num_scales: int,
    label: tuple[int, ...],
    seed: int,
    options: SamplingOptions,
) -> Request:
    """Keep the first scales of what was drawn, and draw the rest with another label or seed.

    Args:
        run: finished or stopped half way.
        scale: how many scales to keep, 1 to K - 1, of those that were drawn.
        num_scales: K.
        label: of all pictures from there on.
        seed: of the first picture; the others count up.
        options: of all pictures from there on.

    Raises:
        ValueError: if nothing was drawn yet, or a value is out of range.
    """
    if run is None or not run.token_maps:
        raise ValueError("there is no picture yet to go on from: press Generate first")
    if any(one.smooth for one in run.request.options):
        raise ValueError("a smooth picture has no tokens to keep: draw it with Smooth off first")
    if scale == num_scales:
        raise ValueError(
            "nothing is left to draw after the last scale: look at an earlier one first, "
            f"1 to {num_scales - 1}"
        )
    keep = check_int("scale", scale, 1, min(len(run.token_maps), num_scales - 1))
    count = len(run.labels)
    return Request(
        (label,) * count,
        _counting(seed, count),
        (options,) * count,
        run.token_maps[:keep],
        columns=run.request.columns,
    )


def _counting(seed: int, count: int) -> tuple[int, ...]:
    seed = check_int("seed", seed, 0, MAX_SEED - count + 1)
    return tuple(range(seed, seed + count))


def draw_run(pipeline: VARPipeline, request: Request) -> Iterator[Run]:
    """Draw; yields what there is after every scale.

    Raises:
        ValueError: here, not at the first scale, if the request does not fit the model.
    """
    groups: dict[SamplingOptions, list[int]] = {}  # the engine draws with one set of options
    for index, options in enumerate(request.options):
        groups.setdefault(options, []).append(index)
    streams = [_stream(pipeline, request, members) for members in groups.values()]
    order = [index for members in groups.values() for index in members]
    places = [order.index(index) for index in range(len(order))]
    return _runs(zip(*streams, strict=True), places, Run(request))


def _stream(pipeline: VARPipeline, request: Request, members: list[int]) -> Iterator[Preview]:
    options = request.options[members[0]]
    return pipeline.stream(
        [request.labels[index] for index in members],
        options.guidance_scale,
        options.top_k,
        options.top_p,
        options.temperature,
        options.smooth,
        generators_from_seeds([request.seeds[index] for index in members], pipeline.device),
        keep=[tokens[members] for tokens in request.keep],
    )


def _runs(steps: Iterator[tuple[Preview, ...]], places: list[int], run: Run) -> Iterator[Run]:
    for previews in steps:
        images = [image for preview in previews for image in preview.images]
        labels = [label for preview in previews for label in preview.labels]
        tokens = torch.cat([preview.token_maps[-1] for preview in previews])
        run = replace(
            run,
            labels=tuple(labels[place] for place in places),
            frames=(*run.frames, tuple(images[place] for place in places)),
            token_maps=(*run.token_maps, tokens[places]),
        )
        yield run


def run_from_tokens(
    pipeline: VARPipeline, token_maps: Sequence[Tensor], frames: Sequence[Image.Image] = ()
) -> Run:
    """A run around the token maps of one picture that nobody drew, to branch from.

    Args:
        pipeline: whose tokenizer made them.
        token_maps: of all scales, (1, S, S) each.
        frames: their decodes, where somebody wants to look at them.
    """
    label = pipeline.labels.null
    request = Request((label,), (0,), (pipeline.options(),))
    return Run(request, (label,), tuple((frame,) for frame in frames), tuple(token_maps))


def read_tokens(pipeline: VARPipeline, scales: Iterable[object]) -> tuple[Tensor, ...]:
    """Token maps (1, S, S) of one picture's first scales, from lists of their S*S tokens.

    Raises:
        ValueError: if there are more scales than the model has, or a list does not fit.
    """
    sides = pipeline.transformer.schedule.sides
    limit = pipeline.transformer.config.vocab_size - 1
    maps = []
    for scale_index, tokens in enumerate(scales):
        if scale_index == len(sides):
            raise ValueError(f"there are only {len(sides)} scales")
        side = sides[scale_index]
        if not isinstance(tokens, list) or len(tokens) != side * side:
            raise ValueError(f"a scale of {side}x{side} needs a list of {side * side} tokens")
        checked = [check_int("a token", token, 0, limit) for token in tokens]
        maps.append(torch.tensor(checked, device=pipeline.device).view(1, side, side))
    return tuple(maps)
