"""Looking inside a picture: its tokens, how it is built from them, and what the model expected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from var_core.devices import PRECISIONS
from var_core.inspect_methods import check_place
from var_core.inspection import NUM_ALTERNATIVES, Inspection, ScaleInspection
from var_core.jobs.progress import JobProgress
from var_core.jobs.reconstruction import Reconstruction, reconstruct, reconstruct_tokens
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.ranges import check_int
from var_core.scales import ScaleSchedule
from var_core.wishes import Wish

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
LEAST_SHARE = 4  # of the picture's side, the smallest neighbourhood of a token


@dataclass(frozen=True)
class Inside:
    """What there is to see inside a picture.

    Attributes:
        reconstruction: the picture after each scale, its token maps, bits and errors.
        inspection: what the model expected, in main memory.
        wish: what the picture was judged by.
        precision: one of PRECISIONS.
    """

    reconstruction: Reconstruction
    inspection: Inspection
    wish: Wish
    precision: str


@dataclass(frozen=True)
class InsideRequest:
    """A picture to look into, by its tokens or by its pixels.

    Attributes:
        wish: what the model judges it by; what is open stays open.
        token_maps: tokens of its first scales or of all, (1, h, w) each; none for a picture that
            is still to be encoded.
        picture: function that returns the picture where there are no tokens; it is called when its
            turn has come, and can be pickled.
        precision: one of PRECISIONS.
    """

    wish: Wish
    token_maps: tuple[Tensor, ...] = ()
    picture: Callable[[], Image.Image] | None = field(default=None, repr=False)
    precision: str = PRECISIONS[0]

    @property
    def job(self) -> str:
        """As `Question.job`."""
        return "look inside"

    def answer(self, pipeline: VARPipeline) -> Inside:
        """As `Question.answer`.

        Raises:
            ValueError: if the picture cannot be read.
        """
        if self.picture is None:
            found = reconstruct_tokens(pipeline, self.token_maps)
        else:
            found = reconstruct(pipeline, self.picture())
        inspection = pipeline.inspect(found.token_maps, [self.wish])
        return Inside(found, _in_main_memory(inspection), self.wish, self.precision)


@dataclass(frozen=True)
class ExchangeRequest:
    """A picture to decode with other codes in one place.

    Attributes:
        token_maps: tokens of the picture, (1, h, w) each.
        scale: number of the scale, from 1.
        row: place from the top, from 0.
        column: place from the left, from 0.
        tokens: codes to put there.
        precision: one of PRECISIONS.
    """

    token_maps: tuple[Tensor, ...]
    scale: int
    row: int
    column: int
    tokens: tuple[int, ...]
    precision: str = PRECISIONS[0]

    @property
    def job(self) -> str:
        """As `Question.job`."""
        return "exchange"

    def answer(self, pipeline: VARPipeline) -> list[Image.Image]:
        """As `Question.answer`: one picture for each code."""
        place = self.scale, self.row, self.column
        return pipeline.exchange(self.token_maps, *place, self.tokens)


def inside_drawing(progress: JobProgress | None, place: object) -> InsideRequest:
    """Look into a picture that was drawn here, finished or stopped half way.

    Smooth drawings and edits have no tokens that tell the whole picture: theirs is encoded.

    Args:
        progress: the drawing; None if there is nothing yet.
        place: place of the picture among those of the drawing, from 0.

    Raises:
        ValueError: if nothing was drawn yet, or there is no such picture.
    """
    if progress is None or not progress.frames:
        raise ValueError("there is no picture yet to look into: press Draw first")
    place = check_int("place", place, 0, len(progress.wishes) - 1)
    wish, request = progress.wishes[place], progress.request
    if request.job == "edit" or request.is_smooth:
        picture = progress.frames[-1][place].copy  # a bound method, which can be pickled
        return InsideRequest(wish, picture=picture, precision=request.precision)
    tokens = tuple(one[place : place + 1] for one in progress.token_maps)
    return InsideRequest(wish, tokens, precision=request.precision)


def exchange(
    info: ModelInfo,
    token_maps: Sequence[Tensor],
    scale: object,
    row: object,
    column: object,
    tokens: object,
    precision: str = PRECISIONS[0],
) -> ExchangeRequest:
    """Decode a picture with other codes in one place.

    Raises:
        ValueError: if a value is out of range, or there are no codes or too many.
    """
    if not isinstance(tokens, list | tuple) or not 1 <= len(tokens) <= NUM_ALTERNATIVES + 1:
        raise ValueError(f"tokens must be a list of 1 to {NUM_ALTERNATIVES + 1} codes")
    scale = check_int("scale", scale, 1, len(token_maps))
    row, column = check_place(info, scale, row, column, tokens)
    return ExchangeRequest(tuple(token_maps), scale, row, column, tuple(tokens), precision)


def neighbourhood(
    schedule: ScaleSchedule, image_shape: tuple[int, int], scale: int, row: int, column: int
) -> Box:
    """The part of a picture that a token mainly decides: its cell with a margin around it.

    Args:
        schedule: scales of the model.
        image_shape: height and width of the picture in pixels.
        scale: number of the scale, from 1.
        row: place from the top, from 0.
        column: place from the left, from 0.
    """
    numbers = schedule.shapes[scale - 1]
    cells = [length / number for length, number in zip(image_shape, numbers, strict=True)]
    side = min(*image_shape, round(max(2 * max(cells), min(image_shape) / LEAST_SHARE)))
    top, left = (
        min(max(round((place + 0.5) * cell - side / 2), 0), length - side)
        for place, cell, length in zip((row, column), cells, image_shape, strict=True)
    )
    return left, top, left + side, top + side


def attention_names(info: ModelInfo, wish: Wish, num_scales: int) -> list[str]:
    """What the columns of `Inspection.attention` stand for, in words.

    Args:
        info: the model.
        wish: what the picture was judged by.
        num_scales: number of scales that were looked into.
    """
    phrases = sorted(wish.phrases)  # the order of the network's slots
    empty = ["no phrase"] * (info.max_phrases - len(phrases))
    return [*phrases, *empty, "start", *(f"scale {n}" for n in range(2, num_scales + 1))]


def _in_main_memory(inspection: Inspection) -> Inspection:
    scales = (
        ScaleInspection(*(getattr(one, name).cpu() for name in ScaleInspection.__annotations__))
        for one in inspection.scales
    )
    return Inspection(tuple(scales), inspection.attention.cpu())
