"""The endpoints that draw: generate, stream, compare, redraw."""

from collections.abc import Iterator
from typing import TypedDict

from var_core.jobs.comparison import Axis, read_axis
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import (
    DEFAULT_SEED,
    branch,
    compare,
    count_up,
    progress_from_tokens,
)
from var_core.model_info import ModelInfo
from var_core.serving.endpoint_base import DrawnPictures, Endpoints, Labels, Options

Side = dict[str, list[float | str]]  # name of a setting, and its values


class ScalePictures(TypedDict):
    """The pictures after one scale; scale 0 while others go first."""

    scale: int
    total: int
    pictures: list[str]


class DrawEndpoints(Endpoints):
    """The endpoints that draw."""

    def generate(
        self,
        labels: Labels,
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[DrawnPictures]:
        """Draw pictures of one label, with seeds counting up.

        Args:
            labels: attribute names to values; attributes left out are drawn at random.
            seed: seed of the first picture.
            count: number of pictures, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        yield from self.draw(count_up(settings, count))

    def stream(
        self,
        labels: Labels,
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[ScalePictures]:
        """As generate, but yields the pictures after every scale; those before the last are rough.

        Args:
            labels: attribute names to values; attributes left out are drawn at random.
            seed: seed of the first picture.
            count: number of pictures, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        request = count_up(settings, count)
        for progress in self.engine.generate(request, self.client()):
            frames = progress.frames[-1] if progress.frames else ()
            yield ScalePictures(
                scale=len(progress.frames),
                total=self.engine.info.schedule.num_scales,
                pictures=[png_url(frame) for frame in frames],
            )

    def compare(
        self,
        labels: Labels,
        rows: Side,
        columns: Side,
        seed: int = DEFAULT_SEED,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        token_maps: list[list[list[list[int]]]] | None = None,
    ) -> Iterator[DrawnPictures]:
        """Draw one picture for every pair of two settings, row by row; 16 at most.

        A setting is the name of an attribute or menu, "prompt", "seed", the name of a sampling
        option that is a number, or "scales": the number of scales that are kept of `token_maps`.

        Args:
            labels: attribute names to values; what is left out is drawn once for all pictures.
            rows: one setting and its values, as {"guidance_scale": [0, 1.5, 3]}.
            columns: another setting and its values, as {"seed": [1, 2]}.
            seed: seed of all pictures, where seeds are not compared.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
            token_maps: token maps of one picture, as in a result.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        info = self.engine.info
        kept = () if token_maps is None else self.read_token_maps(token_maps)
        sides = _read_side(info, "rows", rows), _read_side(info, "columns", columns)
        yield from self.draw(compare(settings, info, *sides, kept))

    def redraw(
        self,
        token_maps: list[list[list[list[int]]]],
        scale: int,
        labels: Labels,
        seed: int = DEFAULT_SEED,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[DrawnPictures]:
        """Keep the first scales of an earlier result or of a tokenized picture, draw the rest.

        Args:
            token_maps: token maps of one picture, as in a result.
            scale: number of scales to keep.
            labels: attribute names to values of what is drawn on top.
            seed: seed of what is drawn on top.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        earlier = progress_from_tokens(self.engine.info, self.read_token_maps(token_maps))
        num_scales = self.engine.info.schedule.num_scales
        yield from self.draw(branch(settings, earlier, scale, num_scales))


def _read_side(info: ModelInfo, side: str, given: object) -> Axis:
    if not isinstance(given, dict) or len(given) != 1:
        raise ValueError(f"{side} must be an object of one setting and its values")
    (pair,) = given.items()
    return read_axis(info, *pair)
