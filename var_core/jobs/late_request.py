"""A request whose pictures are decoded when its turn has come, not while others draw."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PIL import Image

from var_core.editing import RULES, Margins
from var_core.jobs.parsing import count_up, edit, outpaint, read_edit_options, vary
from var_core.jobs.png_recipe import Recipe
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import EditRequest, Settings, VaryRequest
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.ranges import check_int
from var_core.wishes import Wish

# return a picture, and a mask for it as `check_mask` takes it; can be pickled
ReadPicture = Callable[[], Image.Image]
ReadMask = Callable[[Image.Image], object]


@dataclass(frozen=True)
class LateRequest:
    """What is known of a request before its pictures are decoded.

    Until then it holds them as they came, some megabytes at most, so that those who wait need
    little memory.

    Attributes:
        job: name in metrics and logs, "edit" or "vary".
        wishes: what each picture is to show.
        seeds: seed of each picture.
        precision: one of PRECISIONS.
        is_smooth: whether codes are mixed, so that token maps do not tell the whole picture.
        make: decodes the pictures and returns the request; can be pickled.
        comparison: None: it is no sheet.
    """

    job: str
    wishes: tuple[Wish, ...]
    seeds: tuple[int, ...]
    precision: str
    is_smooth: bool
    make: Callable[[], EditRequest | VaryRequest]
    comparison: None = None

    def recipes(self, info: ModelInfo, dtype: str) -> list[Recipe | None]:
        """As `Request.recipes`: none yet; the request that is made has them."""
        return [None] * len(self.wishes)

    def start(self, pipeline: VARPipeline) -> Iterator[JobProgress]:
        """As `Request.start`; the progress is that of the request that is made.

        Raises:
            ValueError: if a picture cannot be read, or does not fit.
        """
        return self.make().start(pipeline)

    def original(self, size: tuple[int, int]) -> Image.Image:
        """The picture before the job, placed as in a result of this size; it is read again."""
        return self.make().original(size)


def edit_later(
    settings: Settings,
    picture: ReadPicture,
    mask: ReadMask,
    count: object = 1,
    rule: object = RULES[0],
    best_of: object = 1,
) -> LateRequest:
    """As `parsing.edit`, of a picture and a mask that are read in their turn.

    Raises:
        ValueError: if a value is out of range; a picture or mask that does not fit, in its turn.
    """
    read_edit_options(rule, best_of)
    return _later(
        "edit", settings, count, partial(_edit, settings, picture, mask, count, rule, best_of)
    )


def outpaint_later(
    settings: Settings,
    picture: ReadPicture,
    margins: Margins,
    count: object = 1,
    rule: object = RULES[0],
    best_of: object = 1,
) -> LateRequest:
    """As `parsing.outpaint`, of a picture that is read in its turn.

    Raises:
        ValueError: if a value is out of range; a picture that does not fit, in its turn.
    """
    read_edit_options(rule, best_of)
    make = partial(_outpaint, settings, picture, margins, count, rule, best_of)
    return _later("edit", settings, count, make)


def vary_later(
    settings: Settings, picture: ReadPicture, keep_scales: object, count: object, num_scales: int
) -> LateRequest:
    """As `parsing.vary`, of a picture that is read in its turn.

    Raises:
        ValueError: if a value is out of range; a picture that cannot be read, in its turn.
    """
    check_int("keep_scales", keep_scales, 1, num_scales - 1)
    make = partial(_vary, settings, picture, keep_scales, count, num_scales)
    return _later("vary", settings, count, make)


def _edit(
    settings: Settings, picture: ReadPicture, mask: ReadMask, *options: object
) -> EditRequest:
    image = picture()
    return edit(settings, image, mask(image), *options)


def _outpaint(
    settings: Settings, picture: ReadPicture, margins: Margins, *options: object
) -> EditRequest:
    return outpaint(settings, picture(), margins, *options)


def _vary(
    settings: Settings, picture: ReadPicture, keep_scales: object, count: object, num_scales: int
) -> VaryRequest:
    return vary(settings, picture(), keep_scales, count, num_scales)


def _later(
    job: str, settings: Settings, count: object, make: Callable[[], EditRequest | VaryRequest]
) -> LateRequest:
    known = count_up(settings, count)
    return LateRequest(job, known.wishes, known.seeds, known.precision, known.is_smooth, make)
