"""What programs can ask a running page for: plain typed functions, JSON in and out.

Pictures travel as PNG data URLs ("data:image/png;base64,..."), labels as {attribute: value name}.
"""

import base64
import binascii
import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from torch import Tensor

from var_core.images import MAX_FILE_BYTES, read_image
from var_core.pipeline import VARPipeline
from var_core.sampling import MAX_SEED, SamplingOptions
from var_core.serving.controls import DEFAULT_SEED, PRESET_OPTIONS
from var_core.serving.engine import Engine
from var_core.serving.files import recipes_of
from var_core.serving.markup import png_url
from var_core.serving.recipe import read_recipe
from var_core.serving.reconstruction import reconstruct
from var_core.serving.runs import (
    MAX_COUNT,
    Request,
    branch,
    count_up,
    draw_run,
    read_tokens,
    run_from_tokens,
    style_sheet,
    sweep,
)


class Options(TypedDict, total=False):
    """How tokens are drawn; what is missing takes the model's default."""

    guidance_scale: float
    temperature: float
    top_k: int
    top_p: float
    smooth: bool
    precision: str


class Drawing(TypedDict):
    """Finished pictures, with what is needed to draw them again."""

    pictures: list[str]
    labels: list[dict[str, str | None]]
    seeds: list[int]
    token_maps: list[list[list[list[int]]]]  # K scales, B pictures, S rows of S tokens


class Step(TypedDict):
    """The pictures after one scale."""

    scale: int
    total: int
    pictures: list[str]


class Tokens(TypedDict):
    """What the tokenizer makes of a picture."""

    pictures: list[str]
    token_maps: list[list[list[list[int]]]]
    psnr: list[float]
    bits: list[int]


class Api:
    """The endpoints of one model.

    Args:
        engine: draws.
        model_name: written into recipes.
    """

    def __init__(self, engine: Engine, model_name: str) -> None:
        self.engine = engine
        self.model_name = model_name

    def about(self) -> dict:
        """The model: its attributes with all their values, its scales, its default options."""
        pipeline = self.engine.first
        options = pipeline.options()
        return {
            "model": self.model_name,
            "pixels": pipeline.image_size,
            "scales": list(pipeline.transformer.schedule.sides),
            "labels": {a.name: list(a.values) for a in pipeline.labels.attributes},
            "options": {name: getattr(options, name) for name in PRESET_OPTIONS},
            "limits": {"count": MAX_COUNT, "seed": MAX_SEED},
        }

    def generate(
        self,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
    ) -> Drawing:
        """Draw pictures of one label, with seeds counting up.

        Args:
            labels: attribute names to values; attributes left out are drawn by the dice.
            seed: of the first picture.
            count: pictures, 1 to 8.
            options: guidance_scale, temperature, top_k, top_p, smooth, precision.
        """
        return self._draw(
            count_up(self._label(labels), seed, count, self._options(options)), options
        )

    def stream(
        self,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
    ) -> Iterator[Step]:
        """As generate, but yields the pictures after every scale.

        Args:
            labels: attribute names to values; attributes left out are drawn by the dice.
            seed: of the first picture.
            count: pictures, 1 to 8.
            options: guidance_scale, temperature, top_k, top_p, smooth, precision.
        """
        request = count_up(self._label(labels), seed, count, self._options(options))
        for run in draw_run(self._pipeline(options), request):
            yield Step(
                scale=len(run.frames),
                total=self.engine.first.transformer.schedule.num_scales,
                pictures=[png_url(frame) for frame in run.frames[-1]],
            )

    def styles(
        self, labels: dict[str, str], seed: int = DEFAULT_SEED, options: Options | None = None
    ) -> Drawing:
        """Draw one label with every value of the last attribute, from the same seed.

        Args:
            labels: attribute names to values, without the last attribute.
            seed: of every picture.
            options: guidance_scale, temperature, top_k, top_p, smooth, precision.
        """
        request = style_sheet(
            self._pipeline(options), self._label(labels), seed, self._options(options)
        )
        return self._draw(request, options)

    def sweep(
        self,
        labels: dict[str, str],
        guidances: list[float],
        seed: int = DEFAULT_SEED,
        num_seeds: int = 4,
        options: Options | None = None,
    ) -> Drawing:
        """Draw one label with every pair of a guidance and a seed, guidance by guidance.

        Args:
            labels: attribute names to values; attributes left out are drawn by the dice.
            guidances: 1 to 4 values from 0 to 20.
            seed: the first one; the others count up.
            num_seeds: 1 to 4.
            options: temperature, top_k, top_p, smooth, precision.
        """
        request = sweep(self._label(labels), guidances, num_seeds, seed, self._options(options))
        return self._draw(request, options)

    def redraw(
        self,
        token_maps: list[list[list[list[int]]]],
        scale: int,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        options: Options | None = None,
    ) -> Drawing:
        """Keep the first scales of an earlier result or of a tokenized picture, draw the rest.

        Args:
            token_maps: as they came, of one picture.
            scale: how many scales to keep.
            labels: attribute names to values of what is drawn on top.
            seed: of what is drawn on top.
            options: guidance_scale, temperature, top_k, top_p, smooth, precision.
        """
        pipeline, settings = self._pipeline(options), self._options(options)
        run = run_from_tokens(pipeline, self._tokens(token_maps))
        total = len(run.token_maps)
        request = branch(run, scale, total, self._label(labels), seed, settings)
        return self._draw(request, options)

    def tokenize(self, picture: str) -> Tokens:
        """Encode a picture; give its reconstruction after every scale.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without a data URL's head.
        """
        with _file_of(picture) as path:
            image = read_image(path)
        result = reconstruct(self.engine.first, image)
        return Tokens(
            pictures=[png_url(frame) for frame in result.frames],
            token_maps=[tokens.tolist() for tokens in result.token_maps],
            psnr=list(result.psnr),
            bits=list(result.bits),
        )

    def recipe(self, picture: str) -> dict:
        """The recipe in a PNG picture that VAR Studio drew.

        Args:
            picture: PNG as base64, with or without a data URL's head.
        """
        with _file_of(picture) as path:
            recipe = read_recipe(path)
        if recipe is None:
            raise ValueError("the picture holds no recipe of VAR Studio")
        return recipe

    def _label(self, labels: object) -> tuple[int, ...]:
        if not isinstance(labels, Mapping):
            raise ValueError(f"labels must be an object of names to values, got {labels!r:.40}")
        return self.engine.first.labels.resolve(labels)

    def _options(self, options: object) -> SamplingOptions:
        given = {} if options is None else options
        if not isinstance(given, Mapping):
            raise ValueError(f"options must be an object of names to values, got {given!r:.40}")
        for name in given:
            if name not in Options.__annotations__:
                known = ", ".join(Options.__annotations__)
                raise ValueError(f"options has {known}, not {name!r:.40}")
        sampling = {name: value for name, value in given.items() if name != "precision"}
        return self.engine.first.options(**sampling)

    def _pipeline(self, options: Mapping | None) -> VARPipeline:
        return self.engine.pipeline((options or {}).get("precision", "auto"))

    def _tokens(self, token_maps: object) -> tuple[Tensor, ...]:
        """Token maps of one picture, checked against the schedule and the codebook."""
        sides = self.engine.first.transformer.schedule.sides
        if not isinstance(token_maps, list) or len(token_maps) != len(sides):
            raise ValueError(f"token_maps must be a list of {len(sides)} scales")
        pairs = zip(sides, token_maps, strict=True)
        return read_tokens(self.engine.first, (_flat(one, (1, side, side)) for side, one in pairs))

    def _draw(self, request: Request, options: Mapping | None) -> Drawing:
        pipeline = self._pipeline(options)
        *_, run = draw_run(pipeline, request)
        pairs = zip(run.frames[-1], recipes_of(pipeline, self.model_name, run), strict=True)
        return Drawing(
            pictures=[png_url(image, recipe) for image, recipe in pairs],
            labels=[pipeline.labels.names(label) for label in run.labels],
            seeds=list(request.seeds),
            token_maps=[tokens.tolist() for tokens in run.token_maps],
        )


def _flat(values: object, shape: tuple[int, ...]) -> list[object]:
    """The entries of nested lists of exactly this shape."""
    if not shape:
        return [values]
    if not isinstance(values, list) or len(values) != shape[0]:
        raise ValueError(f"token_maps must hold scales of one picture, rows of {shape[-1]} tokens")
    return [cell for value in values for cell in _flat(value, shape[1:])]


@contextlib.contextmanager
def _file_of(picture: object) -> Iterator[Path]:
    """A base64 picture as a file, for as long as it is needed."""
    if not isinstance(picture, str) or len(picture) > MAX_FILE_BYTES * 4 // 3 + 100:
        raise ValueError(f"picture must be base64 of at most {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        content = base64.b64decode(picture.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("picture is not base64") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(content)
        yield path
