"""The endpoints that draw: generate, stream, styles, sweep, redraw."""

from collections.abc import Iterator
from typing import TypedDict

from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import (
    DEFAULT_SEED,
    branch,
    count_up,
    progress_from_tokens,
    style_sheet,
    sweep,
)
from var_core.serving.endpoint_base import DrawnPictures, Endpoints, Labels, Options


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

    def styles(
        self,
        labels: Labels,
        seed: int = DEFAULT_SEED,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[DrawnPictures]:
        """Draw one label with every value of the last attribute, from the same seed.

        Args:
            labels: attribute names to values, without the last attribute.
            seed: seed of every picture.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        yield from self.draw(style_sheet(self.engine.info, settings))

    def sweep(
        self,
        labels: Labels,
        guidances: list[float],
        seed: int = DEFAULT_SEED,
        num_seeds: int = 4,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[DrawnPictures]:
        """Draw one label with every pair of a guidance and a seed, guidance by guidance.

        Args:
            labels: attribute names to values; attributes left out are drawn at random.
            guidances: 1 to 4 values from 0 to 20.
            seed: first seed; the others count up.
            num_seeds: number of seeds, 1 to 4.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        yield from self.draw(sweep(settings, guidances, num_seeds))

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
