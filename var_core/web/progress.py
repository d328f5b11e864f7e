"""A drawing or an edit as the page shows it: one moment after each scale."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from var_core.jobs.contact_sheet import PREVIEW_SIDE, enlarge
from var_core.jobs.data_url import png_url, thumbnail_url
from var_core.jobs.progress import JobProgress, Request
from var_core.serving.engine import Engine, sharpen_while_idle
from var_core.web.canvas import SHOWN_SIDE, Canvas
from var_core.web.html import strip_html


@dataclass(frozen=True)
class Moment:
    """What a tab shows after a scale; parts that are None stay as they are.

    Attributes:
        status: a sentence.
        seed: seed of the first picture.
        stage: text for the stage, as `Feed` writes it.
        progress: what has been drawn so far.
        selected: place of the picture that is looked at, from 0.
        picture: a preview of an edit, or at its end the path of the PNG file.
        strip: HTML of all scales of an edit.
        comparison: at the end of an edit, the PNG files before and after.
        result: at the end of an edit, the finished picture.
    """

    status: str | None = None
    seed: int | None = None
    stage: str | None = None
    progress: JobProgress | None = None
    selected: int | None = None
    picture: Image.Image | str | None = None
    strip: str | None = None
    comparison: tuple[str, str] | None = None
    result: Canvas | None = None


@dataclass(frozen=True)
class Plan:
    """An edit to come, and how it is shown.

    Attributes:
        request: what to draw.
        finish: saves the finished pictures, which took the given seconds; returns the moment to
            show, without its strip.
    """

    request: Request
    finish: Callable[[JobProgress, float], Moment]


def stream(engine: Engine, plan: Plan, client: str) -> Iterator[Moment]:
    """Edit, and show every scale; of several pictures, the first one.

    Args:
        engine: engine that draws.
        plan: what to draw.
        client: address of the client who asks.

    Raises:
        ValueError: if the engine refuses the request.
        OSError: if the pictures cannot be saved.
    """
    sides, thumbnails, progress = engine.info.schedule.sides, [], None
    for progress in engine.generate(plan.request, client):
        if progress.ahead:
            yield Moment(progress.status)
            continue
        newest = progress.frames[-1][0]
        if len(thumbnails) == len(sides):  # an edit begins with its next window
            thumbnails = []
        thumbnails.append(thumbnail_url(newest))
        strip = strip_html(thumbnails, sides, progress.num_sketches)
        if progress.is_drawn:
            if len(progress.frames) == len(sides):
                strip = full_strip(progress, sides)
            yield replace(plan.finish(progress, progress.seconds), strip=strip)
        else:
            seed = plan.request.seeds[0]
            yield Moment(
                progress.status, seed, picture=preview_of(newest), strip=strip, progress=progress
            )
    if progress is not None and progress.num_sketches:
        sharper = sharpen_while_idle(engine, progress, client)
        if sharper is not progress:
            yield Moment(strip=full_strip(sharper, sides), progress=sharper)


def preview_of(image: Image.Image) -> Image.Image:
    """A picture at a size that is quickly compressed, sent and seen."""
    if max(image.size) <= SHOWN_SIDE:
        return enlarge(image, PREVIEW_SIDE)
    small = image.copy()
    small.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return small


def full_strip(progress: JobProgress, sides: Sequence[int], place: int = 0) -> str:
    """HTML of all scales so far of one picture, pixel for pixel.

    Args:
        progress: a drawing that holds the frames of all its scales.
        sides: sides of the token maps of all scales.
        place: place of the picture among those of the drawing.
    """
    urls = [png_url(pictures[place]) for pictures in progress.frames]
    return strip_html(urls, sides, progress.num_sketches)
