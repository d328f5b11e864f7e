"""A drawing or an edit as the page shows it: one moment after each scale."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from var_core.jobs.contact_sheet import PREVIEW_SIDE, enlarge
from var_core.jobs.progress import JobProgress, Request
from var_core.serving.engine import Engine
from var_core.web.canvas import SHOWN_SIDE, shown_size
from var_core.web.edit_versions import Version


@dataclass(frozen=True)
class Moment:
    """What a tab shows after a scale; parts that are None stay as they are.

    Attributes:
        status: a sentence.
        seed: seed of the first picture.
        stage: text for the stage, as `Feed` writes it.
        progress: what has been drawn so far.
        reached: number of scales of this drawing that are there; 0 as it begins.
        selected: place of the picture that is looked at, from 0.
        picture: a preview of an edit.
        version: at the end of an edit, the finished picture.
    """

    status: str | None = None
    seed: int | None = None
    stage: str | None = None
    progress: JobProgress | None = None
    reached: int | None = None
    selected: int | None = None
    picture: Image.Image | None = None
    version: Version | None = None


@dataclass(frozen=True)
class Plan:
    """An edit to come, and how it is shown.

    Attributes:
        request: what to draw.
        finish: saves the finished pictures, which took the given seconds; returns the moment to
            show.
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
    for progress in engine.generate(plan.request, client):
        if progress.ahead:
            yield Moment(progress.status)
        elif progress.is_drawn:
            yield plan.finish(progress, progress.seconds)
        else:
            preview = preview_of(progress.frames[-1][0])
            yield Moment(progress.status, plan.request.seeds[0], picture=preview)


def preview_of(image: Image.Image) -> Image.Image:
    """A picture at a size that is quickly compressed, sent and seen."""
    if max(image.size) <= SHOWN_SIDE:
        return enlarge(image, PREVIEW_SIDE)
    return image.resize(shown_size(image.size), Image.Resampling.BICUBIC, reducing_gap=2.0)
