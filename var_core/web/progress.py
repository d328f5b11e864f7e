"""A drawing as the page shows it: one moment after each scale."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from var_core.jobs.contact_sheet import PREVIEW_SIDE, enlarge
from var_core.jobs.data_url import png_url, thumbnail_url
from var_core.jobs.progress import JobProgress, Request
from var_core.serving.engine import Engine, sharpen_while_idle
from var_core.web.canvas import SHOWN_SIDE
from var_core.web.edit_versions import Version
from var_core.web.history import History
from var_core.web.html import strip_html
from var_core.web.tiles import forming_tiles


@dataclass(frozen=True)
class Moment:
    """What a tab shows after a scale; parts that are None stay as they are.

    Attributes:
        picture: a preview, or at the end the path of the PNG file.
        strip: HTML of all scales.
        status: a sentence.
        seed: seed of the first picture.
        scale: position of the scale slider.
        progress: what has been drawn so far.
        tiles: HTML of several pictures; "" for a single one.
        selected: place of the picture that is looked at, from 0.
        files: at the end, the PNG files of all pictures.
        history: at the end, the history with this drawing.
        version: at the end of an edit, the finished picture.
    """

    picture: Image.Image | str | None = None
    strip: str | None = None
    status: str | None = None
    seed: int | None = None
    scale: int | None = None
    progress: JobProgress | None = None
    tiles: str | None = None
    selected: int | None = None
    files: tuple[str, ...] | None = None
    history: History | None = None
    version: Version | None = None


@dataclass(frozen=True)
class Plan:
    """A drawing to come, and how it is shown.

    Attributes:
        request: what to draw.
        pause: seconds between two scales, at least.
        finish: saves the finished pictures, which took the given seconds; returns the moment to
            show, without its strip.
    """

    request: Request
    pause: float
    finish: Callable[[JobProgress, float], Moment]


def stream(engine: Engine, plan: Plan, client: str) -> Iterator[Moment]:
    """Draw, and show every scale; of several pictures, the first one is large.

    Args:
        engine: engine that draws.
        plan: what to draw.
        client: address of the client who asks.

    Raises:
        ValueError: if the engine refuses the request.
        OSError: if the pictures cannot be saved.
    """
    sides, thumbnails, progress = engine.info.schedule.sides, [], None
    for progress in paced(engine.generate(plan.request, client), plan.pause):
        if progress.ahead:
            yield Moment(status=progress.status)
            continue
        newest = progress.frames[-1][0]
        if len(thumbnails) == len(sides):  # an edit begins with its next window
            thumbnails = []
        thumbnails.append(thumbnail_url(newest))
        strip = strip_html(thumbnails, sides, progress.num_sketches)
        if progress.is_drawn:
            holds_all = len(progress.frames) == len(sides)
            strip = full_strip(progress, sides) if holds_all else strip
            yield replace(plan.finish(progress, progress.seconds), strip=strip)
        else:
            preview = preview_of(newest)
            yield Moment(
                preview,
                strip,
                progress.status,
                plan.request.seeds[0],
                progress.number,
                progress,
                forming_tiles(progress),
                selected=0,
            )
    if progress is not None and progress.num_sketches:
        sharper = sharpen_while_idle(engine, progress, client)
        if sharper is not progress:  # the strip alone changes: by now people look at other scales
            strip = full_strip(sharper, sides) if len(sharper.labels) == 1 else None  # or pictures
            yield Moment(strip=strip, progress=sharper)


def paced(steps: Iterator[JobProgress], pause: float) -> Iterator[JobProgress]:
    """Spread the scales of a drawing over time, so that people can follow them.

    The engine does not wait for this: it draws ahead, and others have their turn meanwhile.

    Args:
        steps: the drawing after each scale, as the engine yields it.
        pause: seconds between two scales, at least.
    """
    shown = -math.inf
    for progress in steps:
        if not progress.ahead:
            time.sleep(max(0.0, shown + pause - time.monotonic()))
            shown = time.monotonic()
        yield progress


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
