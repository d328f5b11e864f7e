"""The base class of all endpoints for programs: their results, and the way to the engine.

Pictures travel as PNG data URLs ("data:image/png;base64,..."), labels as {attribute: value name};
where a model has menus, a label may name their choices too: {"thing": ["fox", "pizza"]}.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TypedDict

from PIL import Image
from torch import Tensor

from var_core.images import read_image
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import read_base64, read_settings, read_tokens
from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.requests import Settings
from var_core.serving.engine import Engine

Labels = dict[str, str | list[str]]
# names and values of `SamplingOptions`, and "precision"; what is missing takes the default
Options = dict[str, float | int | bool | str]


class DrawnPictures(TypedDict):
    """Finished pictures, with what is needed to draw them again; empty while they are drawn."""

    pictures: list[str]
    labels: list[dict[str, str | None]]
    prompts: list[list[str]]  # phrases of each picture
    notes: list[list[str]]  # how words were understood, for models that take labels only
    seeds: list[int]
    token_maps: list[list[list[list[int]]]]  # K scales, B pictures, S rows of S tokens


class Endpoints:
    """A group of endpoints of one model.

    Args:
        engine: engine that draws.
        client: function that returns the address of the client who asks.
    """

    def __init__(self, engine: Engine, client: Callable[[], str] = str) -> None:
        self.engine = engine
        self.client = client

    def read_settings(
        self, labels: object, seed: object, options: object, prompt: object, negative: object
    ) -> Settings:
        """Check what every drawing needs.

        Raises:
            ValueError: if anything is malformed, unknown or out of range.
        """
        return read_settings(self.engine.info, labels, seed, options, prompt, negative)

    def picture_reader(self, picture: object) -> Callable[[], Image.Image]:
        """A function that decodes a picture that came as base64; to be called in a turn.

        It raises ValueError if this is no PNG, JPEG or WebP picture, or too large.

        Raises:
            ValueError: if it is no base64, or longer than a picture may be.
        """
        return partial(read_image, read_base64(picture))

    def read_token_maps(self, token_maps: object) -> tuple[Tensor, ...]:
        """Token maps of one picture, as in a result, checked against schedule and codebook.

        Raises:
            ValueError: if they are malformed, or a token is no code's number.
        """
        shapes = self.engine.info.schedule.shapes
        if not isinstance(token_maps, list) or len(token_maps) != len(shapes):
            raise ValueError(f"token_maps must be a list of {len(shapes)} scales")
        pairs = zip(shapes, token_maps, strict=True)
        return read_tokens(self.engine.info, (_flat(one, (1, *shape)) for shape, one in pairs))

    def draw(self, request: Request) -> Iterator[DrawnPictures]:
        """Draw; only the last result holds pictures.

        It is a stream, so that the work stops when the client goes.
        """
        seeds = list(request.seeds)
        progress = JobProgress(request)
        for progress in self.engine.generate(request, self.client()):  # noqa: B007
            yield DrawnPictures(
                pictures=[], labels=[], prompts=[], notes=[], seeds=seeds, token_maps=[]
            )
        info = self.engine.info
        pairs = zip(progress.frames[-1], progress.recipes(info), strict=True)
        is_large = request.job == "edit"
        with self.engine.turn(self.client(), is_owed=True) if is_large else nullcontext():
            pictures = [png_url(image, recipe) for image, recipe in pairs]
        yield DrawnPictures(
            pictures=pictures,
            labels=[info.labels.names(wish.label) for wish in progress.wishes],
            prompts=[list(wish.phrases) for wish in progress.wishes],
            notes=[list(wish.notes) for wish in progress.wishes],
            seeds=seeds,
            token_maps=[tokens.tolist() for tokens in progress.token_maps],
        )


def _flat(values: object, shape: tuple[int, ...]) -> list[object]:
    """The entries of nested lists of exactly this shape."""
    if not shape:
        return [values]
    if not isinstance(values, list) or len(values) != shape[0]:
        raise ValueError(f"token_maps must hold scales of one picture, rows of {shape[-1]} tokens")
    return [cell for value in values for cell in _flat(value, shape[1:])]
