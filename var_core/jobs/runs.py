"""One drawing under way: what there is after each scale."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from var_core.images import tensor_to_images
from var_core.jobs.contact_sheet import contact_sheet
from var_core.jobs.requests import AnyRequest, DrawRequest, EditRequest, VaryRequest
from var_core.model_info import ModelInfo
from var_core.pipeline import Preview, VARPipeline
from var_core.ranges import check_int
from var_core.sampling import SamplingOptions, generators_from_seeds


@dataclass(frozen=True)
class Run:
    """What has been drawn of a request.

    Attributes:
        request: what was asked.
        labels: as in the request, with what was drawn for open ones.
        frames: what there is after each scale so far, one picture per label; of an edit, which may
            be large, the newest ones alone. Those of the last scale are true decodes; earlier ones
            are sketches until they are sharpened.
        token_maps: of the scales so far, in main memory; of an edit, of its last window.
        dtype: of the networks that draw, as "float32".
        number: how many scales are done.
        total: how many scales there will be.
        ahead: while there is no frame yet: how many jobs go first.
        latents: of the frames that are sketches, in main memory.
    """

    request: AnyRequest
    labels: tuple[tuple[int, ...], ...] = ()
    frames: tuple[tuple[Image.Image, ...], ...] = ()
    token_maps: tuple[Tensor, ...] = ()
    dtype: str = ""
    number: int = 0
    total: int = 0
    ahead: int = 0
    latents: tuple[Tensor, ...] = ()

    @property
    def is_drawn(self) -> bool:
        """Whether the pictures are finished, though earlier frames may yet be sharpened."""
        return 0 < self.number == self.total

    @property
    def num_sketches(self) -> int:
        """How many frames, from the first one, are sketches."""
        return len(self.latents)

    @property
    def status(self) -> str:
        """A sentence about how far it is."""
        if self.ahead:
            return f"Waiting: {self.ahead} before you"
        return f"Scale {self.number} of {self.total}"

    def sheet(self, scale: int) -> Image.Image:
        """The picture after a scale (from 1), or all pictures side by side."""
        frames = self.frames[check_int("scale", scale, 1, len(self.frames)) - 1]
        if isinstance(self.request, DrawRequest):
            return contact_sheet(frames, self.request.columns, self.request.captions)
        return contact_sheet(frames, 0, ())


class Paced:
    """Runs as they come, with a pause after every scale but the last.

    Args:
        runs: of an engine.
        pause: in seconds.

    Attributes:
        seconds: that drawing took, without waiting for others and without pauses; once the
            pictures are finished.
    """

    def __init__(self, runs: Iterator[Run], pause: float) -> None:
        self._runs = runs
        self._pause = pause
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Run]:
        started, paused = time.monotonic(), 0.0
        for run in self._runs:
            if run.is_drawn:
                self.seconds = time.monotonic() - started - paused
            yield run
            if run.ahead:
                started = time.monotonic()
            elif not run.is_drawn:
                time.sleep(self._pause)
                paused += self._pause


def run_request(pipeline: VARPipeline, request: AnyRequest) -> Iterator[Run]:
    """Do what is asked; yields what there is after every scale.

    Raises:
        ValueError: if the request does not fit the model.
    """
    if isinstance(request, EditRequest):
        return edit_run(pipeline, request)
    if isinstance(request, VaryRequest):
        keep = pipeline.coarse_tokens(request.image, request.keep_scales, len(request.labels))
        request = replace(request.drawing, keep=tuple(tokens.cpu() for tokens in keep))
    return draw_run(pipeline, request)


def edit_run(pipeline: VARPipeline, request: EditRequest) -> Iterator[Run]:
    """Edit; yields what there is after every scale of every window.

    Raises:
        ValueError: here, not at the first scale, if the request does not fit the model.
    """
    options = {**asdict(request.options), **asdict(request.edit_options)}
    options["class_labels"] = list(request.labels)
    options["generator"] = generators_from_seeds(request.seeds, pipeline.device)
    if request.margins is None:
        previews = pipeline.edit_stream(request.image, request.mask, **options)
    else:
        previews = pipeline.outpaint_stream(request.image, **asdict(request.margins), **options)
    run = Run(request, dtype=_name(pipeline.dtype))
    return _edit_runs(previews, run)


def _edit_runs(previews: Iterator[Preview], run: Run) -> Iterator[Run]:
    for preview in previews:
        run = replace(
            run,
            labels=tuple(preview.labels),
            frames=(tuple(preview.images),),
            token_maps=tuple(tokens.cpu() for tokens in preview.token_maps),
            number=preview.number,
            total=preview.total,
        )
        yield run


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def draw_run(pipeline: VARPipeline, request: DrawRequest) -> Iterator[Run]:
    """Draw; yields what there is after every scale.

    Raises:
        ValueError: here, not at the first scale, if the request does not fit the model.
    """
    if request.one_label:
        request = _fill_once(pipeline, request)
    groups: dict[SamplingOptions, list[int]] = {}  # the engine draws with one set of options
    for index, options in enumerate(request.options):
        groups.setdefault(options, []).append(index)
    streams = [_stream(pipeline, request, members) for members in groups.values()]
    order = [index for members in groups.values() for index in members]
    places = [order.index(index) for index in range(len(order))]
    total = pipeline.transformer.schedule.num_scales
    run = Run(request, dtype=_name(pipeline.dtype), total=total)
    are_rough = pipeline.tokenizer.sketch is not None
    return _runs(zip(*streams, strict=True), places, run, are_rough)


def _fill_once(pipeline: VARPipeline, request: DrawRequest) -> DrawRequest:
    """Draw what is open but for the last attribute, the same for all pictures."""
    open_last = (*request.labels[0][:-1], pipeline.labels.null[-1])
    given = torch.tensor([open_last], device=pipeline.device)
    generators = generators_from_seeds(request.seeds[:1], pipeline.device)
    filled = pipeline.fill_open_labels(given, generators)[0, :-1].tolist()
    return replace(request, labels=tuple((*filled, label[-1]) for label in request.labels))


def _stream(pipeline: VARPipeline, request: DrawRequest, members: list[int]) -> Iterator[Preview]:
    options = request.options[members[0]]
    return pipeline.stream(
        [request.labels[index] for index in members],
        options.guidance_scale,
        options.top_k,
        options.top_p,
        options.temperature,
        options.smooth,
        generators_from_seeds([request.seeds[index] for index in members], pipeline.device),
        keep=[tokens[members].to(pipeline.device) for tokens in request.keep],
    )


def _runs(
    steps: Iterator[tuple[Preview, ...]], places: list[int], run: Run, are_rough: bool
) -> Iterator[Run]:
    for previews in steps:
        images = [image for preview in previews for image in preview.images]
        labels = [label for preview in previews for label in preview.labels]
        tokens = torch.cat([preview.token_maps[-1] for preview in previews]).cpu()
        number, latents = run.number + 1, run.latents
        if are_rough and number < run.total:
            latent = torch.cat([preview.latent for preview in previews])[places]
            latents = (*latents, latent.cpu())
        run = replace(
            run,
            labels=tuple(labels[place] for place in places),
            frames=(*run.frames, tuple(images[place] for place in places)),
            token_maps=(*run.token_maps, tokens[places]),
            number=number,
            latents=latents,
        )
        yield run


def sharpened(pipeline: VARPipeline, run: Run, scale: int | None = None) -> Run:
    """The same run with a sketch replaced by the true decode.

    Args:
        pipeline: decodes.
        run: must have the sketch.
        scale: after which it was made, from 1; None takes the newest one, which is then no longer
            counted as a sketch.
    """
    index = (scale or run.num_sketches) - 1
    frames = tensor_to_images(pipeline.decode_latent(run.latents[index].to(pipeline.device)))
    return replace(
        run,
        frames=(*run.frames[:index], tuple(frames), *run.frames[index + 1 :]),
        latents=run.latents if scale else run.latents[:-1],
    )


def run_from_tokens(
    info: ModelInfo, token_maps: Sequence[Tensor], frames: Sequence[Image.Image] = ()
) -> Run:
    """A run around the token maps of one picture that nobody drew, to branch from.

    Args:
        info: model whose tokenizer made them.
        token_maps: of all scales, (1, S, S) each.
        frames: their decodes, where somebody wants to look at them.
    """
    label = info.labels.null
    request = DrawRequest((label,), (0,), (info.options,))
    return Run(request, (label,), tuple((frame,) for frame in frames), tuple(token_maps))
