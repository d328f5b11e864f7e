"""What programs can ask a running page for: plain typed functions, JSON in and out.

Pictures travel as PNG data URLs ("data:image/png;base64,..."), labels as {attribute: value name}.
"""

from collections.abc import Callable, Iterator
from typing import TypedDict

from PIL import Image
from torch import Tensor

from var_core.editing import RULES, Margins, read_mask
from var_core.images import read_image
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import (
    DEFAULT_SEED,
    MAX_COUNT,
    branch,
    count_up,
    edit,
    outpaint,
    progress_from_tokens,
    read_base64,
    read_settings,
    read_tokens,
    style_sheet,
    sweep,
    vary,
)
from var_core.jobs.png_recipe import read_recipe
from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.requests import EditRequest, Settings
from var_core.sampling import MAX_SEED
from var_core.serving.engine import Engine

# names and values of `SamplingOptions`, and "precision"; what is missing takes the default
Options = dict[str, float | int | bool | str]


class Drawing(TypedDict):
    """Finished pictures, with what is needed to draw them again; empty while they are drawn."""

    pictures: list[str]
    labels: list[dict[str, str | None]]
    seeds: list[int]
    token_maps: list[list[list[list[int]]]]  # K scales, B pictures, S rows of S tokens


class Step(TypedDict):
    """The pictures after one scale; scale 0 while others go first."""

    scale: int
    total: int
    pictures: list[str]


class Tokens(TypedDict):
    """What the tokenizer makes of a picture."""

    pictures: list[str]
    token_maps: list[list[list[list[int]]]]
    psnr: list[float]
    bits: list[int]


class Edited(TypedDict):
    """Finished edits; empty while they are drawn."""

    pictures: list[str]
    labels: list[dict[str, str | None]]
    seeds: list[int]


class Api:
    """The endpoints of one model.

    Args:
        engine: draws.
        model_name: written into recipes.
        client: tells who asks.
    """

    def __init__(self, engine: Engine, model_name: str, client: Callable[[], str] = str) -> None:
        self.engine = engine
        self.client = client
        self.model_name = model_name

    def about(self) -> dict:
        """The model: its attributes with all their values, its scales, its default options."""
        info = self.engine.info
        return {
            "model": self.model_name,
            "pixels": info.image_size,
            "scales": list(info.schedule.sides),
            "labels": {a.name: list(a.values) for a in info.labels.attributes},
            "options": {one.name: one.default for one in info.option_fields},
            "limits": {
                "count": MAX_COUNT,
                "seed": MAX_SEED,
                **{one.name: [one.low, one.high] for one in info.option_fields if one.step},
            },
        }

    def generate(
        self,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
    ) -> Iterator[Drawing]:
        """Draw pictures of one label, with seeds counting up.

        Args:
            labels: attribute names to values; attributes left out are drawn by the dice.
            seed: of the first picture.
            count: pictures, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
        """
        yield from self._draw(count_up(self._settings(labels, seed, options), count))

    def stream(
        self,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
    ) -> Iterator[Step]:
        """As generate, but yields the pictures after every scale; those before the last are rough.

        Args:
            labels: attribute names to values; attributes left out are drawn by the dice.
            seed: of the first picture.
            count: pictures, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
        """
        request = count_up(self._settings(labels, seed, options), count)
        for progress in self.engine.generate(request, self.client()):
            frames = progress.frames[-1] if progress.frames else ()
            yield Step(
                scale=len(progress.frames),
                total=self.engine.info.schedule.num_scales,
                pictures=[png_url(frame) for frame in frames],
            )

    def styles(
        self, labels: dict[str, str], seed: int = DEFAULT_SEED, options: Options | None = None
    ) -> Iterator[Drawing]:
        """Draw one label with every value of the last attribute, from the same seed.

        Args:
            labels: attribute names to values, without the last attribute.
            seed: of every picture.
            options: sampling options by name, as in `about`, and precision.
        """
        settings = self._settings(labels, seed, options)
        yield from self._draw(style_sheet(self.engine.info, settings))

    def sweep(
        self,
        labels: dict[str, str],
        guidances: list[float],
        seed: int = DEFAULT_SEED,
        num_seeds: int = 4,
        options: Options | None = None,
    ) -> Iterator[Drawing]:
        """Draw one label with every pair of a guidance and a seed, guidance by guidance.

        Args:
            labels: attribute names to values; attributes left out are drawn by the dice.
            guidances: 1 to 4 values from 0 to 20.
            seed: the first one; the others count up.
            num_seeds: 1 to 4.
            options: sampling options by name, as in `about`, and precision.
        """
        settings = self._settings(labels, seed, options)
        yield from self._draw(sweep(settings, guidances, num_seeds))

    def redraw(
        self,
        token_maps: list[list[list[list[int]]]],
        scale: int,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        options: Options | None = None,
    ) -> Iterator[Drawing]:
        """Keep the first scales of an earlier result or of a tokenized picture, draw the rest.

        Args:
            token_maps: as they came, of one picture.
            scale: how many scales to keep.
            labels: attribute names to values of what is drawn on top.
            seed: of what is drawn on top.
            options: sampling options by name, as in `about`, and precision.
        """
        settings = self._settings(labels, seed, options)
        earlier = progress_from_tokens(self.engine.info, self._tokens(token_maps))
        num_scales = self.engine.info.schedule.num_scales
        yield from self._draw(branch(settings, earlier, scale, num_scales))

    def edit(
        self,
        picture: str,
        mask: str,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        rule: str = RULES[0],
        best_of: int = 1,
    ) -> Iterator[Edited]:
        """Redraw what is under a mask; elsewhere the picture stays as it is.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without a data URL's head.
            mask: likewise, as large as the picture: what is lighter than half grey is redrawn.
            labels: attribute names to values; {} lets what is kept decide.
            seed: of the first result.
            count: results, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            rule: closed_loop, or replay, the rule of the official notebook.
            best_of: 1 to 8 candidates of the coarse scales.
        """
        image, holes = self._image(picture), read_mask(read_base64(mask))
        settings = self._settings(labels, seed, options)
        yield from self._edit(edit(settings, image, holes, count, rule, best_of))

    def outpaint(
        self,
        picture: str,
        labels: dict[str, str],
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        rule: str = RULES[0],
        best_of: int = 1,
    ) -> Iterator[Edited]:
        """Add to the sides of a picture.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without a data URL's head.
            labels: attribute names to values; {} lets what is there decide.
            left: pixels to add, as top, right and bottom.
            top: likewise.
            right: likewise.
            bottom: likewise.
            seed: of the first result.
            count: results, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            rule: closed_loop or replay.
            best_of: 1 to 8 candidates of the coarse scales.
        """
        image, margins = self._image(picture), Margins(left, top, right, bottom)
        settings = self._settings(labels, seed, options)
        yield from self._edit(outpaint(settings, image, margins, count, rule, best_of))

    def vary(
        self,
        picture: str,
        keep_scales: int,
        labels: dict[str, str],
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
    ) -> Iterator[Drawing]:
        """Keep the coarse scales of a picture, draw the rest.

        Args:
            picture: PNG, JPEG or WebP as base64; its central square is used.
            keep_scales: few keep colours and places only, many nearly everything.
            labels: attribute names to values; attributes left out are drawn by the dice.
            seed: of the first result.
            count: results, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
        """
        settings, image = self._settings(labels, seed, options), self._image(picture)
        num_scales = self.engine.info.schedule.num_scales
        yield from self._draw(vary(settings, image, keep_scales, count, num_scales))

    def tokenize(self, picture: str) -> Tokens:
        """Encode a picture; give its reconstruction after every scale.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without a data URL's head.
        """
        result = self.engine.tokenize(self._image(picture), self.client())
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
        recipe = read_recipe(read_base64(picture))
        if recipe is None:
            raise ValueError("the picture holds no recipe of VAR Studio")
        return recipe

    def _settings(self, labels: object, seed: object, options: object) -> Settings:
        return read_settings(self.engine.info, labels, seed, options)

    def _tokens(self, token_maps: object) -> tuple[Tensor, ...]:
        """Token maps of one picture, checked against the schedule and the codebook."""
        sides = self.engine.info.schedule.sides
        if not isinstance(token_maps, list) or len(token_maps) != len(sides):
            raise ValueError(f"token_maps must be a list of {len(sides)} scales")
        pairs = zip(sides, token_maps, strict=True)
        return read_tokens(self.engine.info, (_flat(one, (1, side, side)) for side, one in pairs))

    def _image(self, picture: object) -> Image.Image:
        return read_image(read_base64(picture))

    def _edit(self, request: EditRequest) -> Iterator[Edited]:
        for drawing in self._draw(request):
            yield Edited(
                pictures=drawing["pictures"], labels=drawing["labels"], seeds=drawing["seeds"]
            )

    def _draw(self, request: Request) -> Iterator[Drawing]:
        """A stream, so that the work stops when its client goes; only the end holds pictures."""
        seeds = list(request.seeds)
        progress = JobProgress(request)
        for progress in self.engine.generate(request, self.client()):  # noqa: B007
            yield Drawing(pictures=[], labels=[], seeds=seeds, token_maps=[])
        space = self.engine.info.labels
        recipes = progress.recipes(space, self.model_name)
        pairs = zip(progress.frames[-1], recipes, strict=True)
        yield Drawing(
            pictures=[png_url(image, recipe) for image, recipe in pairs],
            labels=[space.names(label) for label in progress.labels],
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
