"""One press of a button: what is asked, what is shown on the way, what is kept."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image
from torch import Tensor

from var_core.pipeline import VARPipeline
from var_core.ranges import check_int
from var_core.sampling import MAX_SEED, SamplingOptions, generators_from_seeds

MAX_COUNT = 8
SHEET_GAP = 4  # pixels between the pictures of a sheet
SHEET_COLUMNS = 4


@dataclass(frozen=True)
class Request:
    """Pictures to draw together.

    Attributes:
        labels: one per picture, indices.
        seeds: likewise.
        options: how tokens are drawn, the same for all.
        keep: token maps of the first scales to keep, (B, S, S) each.
    """

    labels: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]
    options: SamplingOptions
    keep: tuple[Tensor, ...] = ()


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
        return contact_sheet(self.frames[check_int("scale", scale, 1, len(self.frames)) - 1])


def count_up(label: tuple[int, ...], seed: int, count: int, options: SamplingOptions) -> Request:
    """The same label several times, with seeds counting up.

    Raises:
        ValueError: if a seed or the count is out of range.
    """
    count = check_int("count", count, 1, MAX_COUNT)
    seed = check_int("seed", seed, 0, MAX_SEED - count + 1)
    return Request((label,) * count, tuple(range(seed, seed + count)), options)


def style_sheet(
    label: tuple[int, ...], num_values: int, seed: int, options: SamplingOptions
) -> Request:
    """A label with every value of its last attribute, all from the same seed.

    Raises:
        ValueError: if the seed is out of range, or there are too many values for one sheet.
    """
    seed = check_int("seed", seed, 0, MAX_SEED)
    if num_values > MAX_COUNT:
        raise ValueError(f"a sheet has at most {MAX_COUNT} pictures, not {num_values}")
    labels = tuple((*label[:-1], value) for value in range(num_values))
    return Request(labels, (seed,) * num_values, options)


def branch(run: Run | None, scale: int, label: tuple[int, ...], seed: int) -> Request:
    """Keep the first scales of what was drawn, and draw the rest with another label or seed.

    Args:
        run: a finished run.
        scale: how many scales to keep, 1 to K - 1.
        label: of all pictures from there on.
        seed: of the first picture; the others count up.

    Raises:
        ValueError: if nothing was drawn yet, or a value is out of range.
    """
    if run is None or not run.frames:
        raise ValueError("there is no picture yet to go on from: press Generate first")
    count = len(run.labels)
    keep = check_int("scale", scale, 1, len(run.token_maps) - 1)
    seed = check_int("seed", seed, 0, MAX_SEED - count + 1)
    request = run.request
    return Request(
        (label,) * count, tuple(range(seed, seed + count)), request.options, run.token_maps[:keep]
    )


def draw_run(pipeline: VARPipeline, request: Request) -> Iterator[Run]:
    """Draw; yields what there is after every scale.

    Raises:
        ValueError: here, not at the first scale, if the request does not fit the model.
    """
    options = request.options
    previews = pipeline.stream(
        list(request.labels),
        options.guidance_scale,
        options.top_k,
        options.top_p,
        options.temperature,
        options.smooth,
        generators_from_seeds(request.seeds, pipeline.device),
        keep=request.keep,
    )
    return _runs(previews, Run(request))


def _runs(previews: Iterator, run: Run) -> Iterator[Run]:
    for preview in previews:
        run = replace(
            run,
            labels=tuple(preview.labels),
            frames=(*run.frames, tuple(preview.images)),
            token_maps=tuple(preview.token_maps),
        )
        yield run


def contact_sheet(images: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in rows on white; a single one stays as it is."""
    if len(images) == 1:
        return images[0]
    columns = 2 if len(images) == 4 else min(SHEET_COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    width, height = images[0].size
    step = width + SHEET_GAP, height + SHEET_GAP
    size = columns * step[0] - SHEET_GAP, rows * step[1] - SHEET_GAP
    sheet = Image.new("RGB", size, "white")
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet.paste(image, (column * step[0], row * step[1]))
    return sheet
