"""The endpoints that edit: edit, outpaint, vary."""

from collections.abc import Iterator
from functools import partial
from typing import TypedDict

import numpy as np
from PIL import Image

from var_core.editing import RULES, Margins, read_mask
from var_core.jobs.late_request import edit_later, outpaint_later, vary_later
from var_core.jobs.parsing import DEFAULT_SEED, read_base64
from var_core.jobs.progress import Request
from var_core.serving.endpoint_base import DrawnPictures, Endpoints, Labels, Options


class EditedPictures(TypedDict):
    """Finished edits; empty while they are drawn."""

    pictures: list[str]
    labels: list[dict[str, str | None]]
    prompts: list[list[str]]
    notes: list[list[str]]
    seeds: list[int]


class EditEndpoints(Endpoints):
    """The endpoints that edit."""

    def edit(
        self,
        picture: str,
        mask: str,
        labels: Labels,
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        rule: str = RULES[0],
        best_of: int = 1,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[EditedPictures]:
        """Redraw what is under a mask; elsewhere the picture stays as it is.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without the head of a data URL.
            mask: picture of the same size as base64; what is lighter than half grey is redrawn.
            labels: attribute names to values; {} leaves it to the kept area.
            seed: seed of the first result.
            count: number of results, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            rule: closed_loop, or replay, the rule of the official notebook.
            best_of: 1 to 8 candidates of the coarse scales.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        image, holes = self.picture_reader(picture), partial(_read_mask, read_base64(mask))
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        yield from self._edit(edit_later(settings, image, holes, count, rule, best_of))

    def outpaint(
        self,
        picture: str,
        labels: Labels,
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        rule: str = RULES[0],
        best_of: int = 1,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[EditedPictures]:
        """Add to the sides of a picture.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without the head of a data URL.
            labels: attribute names to values; {} leaves it to the picture.
            left: pixels to add at the left.
            top: pixels to add at the top.
            right: pixels to add at the right.
            bottom: pixels to add at the bottom.
            seed: seed of the first result.
            count: number of results, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            rule: closed_loop or replay.
            best_of: 1 to 8 candidates of the coarse scales.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        image, margins = self.picture_reader(picture), Margins(left, top, right, bottom)
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        yield from self._edit(outpaint_later(settings, image, margins, count, rule, best_of))

    def vary(
        self,
        picture: str,
        keep_scales: int,
        labels: Labels,
        seed: int = DEFAULT_SEED,
        count: int = 1,
        options: Options | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[DrawnPictures]:
        """Keep the coarse scales of a picture, draw the rest.

        Args:
            picture: PNG, JPEG or WebP as base64; its central square is used.
            keep_scales: number of scales to keep; few keep colours and places only.
            labels: attribute names to values; attributes left out are drawn at random.
            seed: seed of the first result.
            count: number of results, 1 to 8.
            options: sampling options by name, as in `about`, and precision.
            prompt: phrases with commas between them, as "a fox, in the snow".
            negative_prompt: what the pictures should not show.
        """
        settings = self.read_settings(labels, seed, options, prompt, negative_prompt)
        image = self.picture_reader(picture)
        num_scales = self.engine.info.schedule.num_scales
        yield from self.draw(vary_later(settings, image, keep_scales, count, num_scales))

    def _edit(self, request: Request) -> Iterator[EditedPictures]:
        for drawn in self.draw(request):
            yield EditedPictures(
                pictures=drawn["pictures"],
                labels=drawn["labels"],
                prompts=drawn["prompts"],
                notes=drawn["notes"],
                seeds=drawn["seeds"],
            )


def _read_mask(content: bytes, image: Image.Image) -> np.ndarray:
    return read_mask(content)
