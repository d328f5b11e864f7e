"""What is asked of an engine, and what has been drawn of it so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from PIL import Image
from torch import Tensor

from var_core.images import tensor_to_images
from var_core.jobs.comparison import Comparison
from var_core.jobs.contact_sheet import contact_sheet, labelled_sheet
from var_core.jobs.png_recipe import Recipe
from var_core.model_info import ModelInfo
from var_core.outputs import ClipPreview, Preview, pil_images
from var_core.pipeline import VARPipeline
from var_core.pipeline_parts import PipelineParts
from var_core.ranges import check_int
from var_core.wishes import Wish


class Request(Protocol):
    """A job for an engine: a frozen, checked dataclass that starts itself on a pipeline."""

    @property
    def job(self) -> str:
        """Name in metrics and logs: "draw", "edit", "vary" or "animate"."""
        ...

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """What each picture is to show."""
        ...

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each picture."""
        ...

    @property
    def precision(self) -> str:
        """One of PRECISIONS."""
        ...

    @property
    def comparison(self) -> Comparison | None:
        """What the pictures compare, if they are a sheet of two settings."""
        ...

    @property
    def is_smooth(self) -> bool:
        """Whether codes are mixed, so that token maps do not tell the whole picture."""
        ...

    def recipes(self, info: ModelInfo, dtype: str) -> Sequence[Recipe | None]:
        """What draws each picture again; None where a recipe would not be enough.

        Args:
            info: model that drew the pictures.
            dtype: dtype of the networks that drew, as "float32".
        """
        ...

    def start(self, pipeline: VARPipeline) -> Iterator["JobProgress"]:
        """Start drawing; yields what there is after every scale.

        Raises:
            ValueError: here, not at the first scale, if the request does not fit the model.
        """
        ...


@dataclass(frozen=True)
class JobProgress:
    """What has been drawn of a request.

    Attributes:
        request: what was asked.
        frames: pictures after each scale so far, one per wish; of a clip its frames. An edit or a
            clip may be large and keeps the newest ones only. Those of the last scale are true
            decodes; earlier ones are sketches until they are sharpened.
        token_maps: token maps of the scales so far, in main memory; for an edit, those of its last
            window.
        dtype: dtype of the networks that draw, as "float32".
        number: number of scales that are done.
        total: number of scales when all is done.
        ahead: number of jobs that go first, while there is no frame yet.
        latents: latents of the frames that are sketches, in main memory.
        seconds: time that the engine has drawn, without waiting for others.
    """

    request: Request
    frames: tuple[Sequence[Image.Image], ...] = ()
    token_maps: tuple[Tensor, ...] = ()
    dtype: str = ""
    number: int = 0
    total: int = 0
    ahead: int = 0
    latents: tuple[Tensor, ...] = ()
    seconds: float = 0.0

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """What each picture is to show."""
        return self.request.wishes

    @property
    def labels(self) -> tuple[tuple[int, ...], ...]:
        """Label indices of each picture."""
        return tuple(wish.label for wish in self.wishes)

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
        """One sentence for the person who waits."""
        if self.ahead:
            return f"Waiting: {self.ahead} before you"
        return f"Scale {self.number} of {self.total}"

    def sheet(self, scale: int) -> Image.Image:
        """The picture after a scale (from 1), or all pictures side by side."""
        frames = self.frames[check_int("scale", scale, 1, len(self.frames)) - 1]
        comparison = self.request.comparison
        if comparison is None:
            return contact_sheet(frames)
        return labelled_sheet(frames, comparison.rows.captions, comparison.columns.captions)

    def recipes(self, info: ModelInfo) -> Sequence[Recipe | None]:
        """What draws each picture again, as `Request.recipes`."""
        return self.request.recipes(info, self.dtype)


def begin(request: Request, pipeline: PipelineParts) -> JobProgress:
    """The progress of a job that has just been started on a pipeline."""
    dtype = str(pipeline.dtype).removeprefix("torch.")
    return JobProgress(request, dtype=dtype, total=pipeline.info.schedule.num_scales)


def follow_drawing(
    progress: JobProgress, previews: Iterator[Preview], has_sketches: bool
) -> Iterator[JobProgress]:
    """Add the previews of a drawing one by one, keeping the frames of all scales.

    Args:
        progress: the job at its start.
        previews: previews after each scale.
        has_sketches: whether previews before the last one are sketches.
    """
    for preview in previews:
        latents = progress.latents
        if has_sketches and preview.number < progress.total and preview.latent is not None:
            latents = (*latents, preview.latent.cpu())
        progress = replace(
            progress,
            frames=(*progress.frames, tuple(pil_images(preview))),
            token_maps=(*progress.token_maps, preview.token_maps[-1].cpu()),
            number=preview.number,
            latents=latents,
        )
        yield progress


def follow_edit(progress: JobProgress, previews: Iterator[Preview]) -> Iterator[JobProgress]:
    """Add the previews of an edit one by one, keeping the newest frame only.

    After a candidate there is nothing new: that progress tells that the work goes on.
    """
    for preview in previews:
        progress = replace(
            progress,
            frames=(pil_images(preview),),
            token_maps=tuple(tokens.cpu() for tokens in preview.token_maps),
            number=preview.number,
            total=preview.total,
        )
        yield progress


def follow_clip(progress: JobProgress, previews: Iterator[ClipPreview]) -> Iterator[JobProgress]:
    """Add the previews of one clip, keeping the newest frames only."""
    for preview in previews:
        progress = replace(
            progress,
            frames=(preview.clips[0],),
            token_maps=tuple(tokens.cpu() for tokens in preview.token_maps),
            number=preview.number,
            total=preview.total,
        )
        yield progress


def sharpen(pipeline: VARPipeline, progress: JobProgress, scale: int | None = None) -> JobProgress:
    """Replace one sketch by the true decode.

    Args:
        pipeline: decodes the latent.
        progress: a job with at least this sketch.
        scale: number of the scale after which the sketch was made, from 1; None takes the newest
            sketch, which then no longer counts as one.
    """
    index = (scale or progress.num_sketches) - 1
    latent = progress.latents[index].to(pipeline.device)
    frames = tuple(tensor_to_images(pipeline.decode_latent(latent)))
    return replace(
        progress,
        frames=(*progress.frames[:index], frames, *progress.frames[index + 1 :]),
        latents=progress.latents if scale else progress.latents[:-1],
    )
