"""The endpoints that look inside a picture: look_inside, exchange."""

from typing import Any, TypedDict

import numpy as np
from torch import Tensor

from var_core.jobs.data_url import png_url
from var_core.jobs.inside import InsideRequest, attention_names, exchange, neighbourhood
from var_core.jobs.parsing import DEFAULT_SEED
from var_core.serving.endpoint_base import Endpoints, Labels, Options

DIGITS = 6  # of probabilities, bits and shares


class InsidePicture(TypedDict):
    """What the model expected of each token; lists of scales, coarse to fine."""

    pictures: list[str]  # the picture after each scale
    token_maps: list[list[list[list[int]]]]  # K scales, 1 picture, S rows of S tokens
    psnr: list[float]  # dB, against the picture
    bits: list[int]  # size of the tokens up to each scale
    probability: list[list[list[float]]]  # of each token
    entropy: list[list[list[float]]]  # bits: how open the choice was
    alternatives: list[list[list[list[int]]]]  # the likeliest other codes of each token, falling
    alternative_probability: list[list[list[list[float]]]]
    attention: list[list[float]]  # a row for each scale, which sums to 1
    attention_to: list[str]  # what its columns are: phrases, the start, scales


class ExchangedPictures(TypedDict):
    """A picture with other codes in one place."""

    pictures: list[str]
    patches: list[str]  # what is around the place
    box: list[int]  # left, top, right, bottom of the patches in pixels


class InsideEndpoints(Endpoints):
    """The endpoints that look inside."""

    def look_inside(
        self,
        labels: Labels,
        token_maps: list[list[list[list[int]]]] | None = None,
        picture: str | None = None,
        prompt: str | None = None,
        options: Options | None = None,
    ) -> InsidePicture:
        """How likely the model finds each token of a picture, and where each scale looks.

        The numbers are those of the plain distribution, without guidance and filters.

        Args:
            labels: attribute names to values; the model judges the picture by these.
            token_maps: token maps of one picture, as in a result.
            picture: instead of token maps, PNG, JPEG or WebP as base64, which is encoded.
            prompt: phrases with commas between them, as "a fox, in the snow".
            options: only precision has an influence.
        """
        settings = self.read_settings(labels, DEFAULT_SEED, options, prompt, None)
        if (token_maps is None) == (picture is None):
            raise ValueError("give either token_maps or a picture")
        if picture is None:
            tokens, read = self.read_token_maps(token_maps), None
        else:
            tokens, read = (), self.picture_reader(picture)
        request = InsideRequest(settings.wish, tokens, read, settings.precision)
        found = self.engine.answer(request, self.client())
        shown, inspection = found.reconstruction, found.inspection
        scales = inspection.scales
        return InsidePicture(
            pictures=[png_url(frame) for frame in shown.frames],
            token_maps=[one.tolist() for one in shown.token_maps],
            psnr=list(shown.psnr),
            bits=list(shown.bits),
            probability=[_rounded(one.probability[0]) for one in scales],
            entropy=[_rounded(one.entropy[0]) for one in scales],
            alternatives=[one.alternatives[0].tolist() for one in scales],
            alternative_probability=[_rounded(one.alternative_probability[0]) for one in scales],
            attention=_rounded(inspection.attention[0]),
            attention_to=attention_names(self.engine.info, found.wish, len(scales)),
        )

    def exchange(
        self,
        token_maps: list[list[list[list[int]]]],
        scale: int,
        row: int,
        column: int,
        tokens: list[int],
        options: Options | None = None,
    ) -> ExchangedPictures:
        """Decode a picture with other codes in one place; all other tokens stay.

        Args:
            token_maps: token maps of one picture, as in a result.
            scale: number of the scale, from 1.
            row: place from the top, from 0.
            column: place from the left, from 0.
            tokens: 1 to 6 codes, each of which gives a picture.
            options: only precision has an influence.
        """
        info = self.engine.info
        precision = self.read_settings({}, DEFAULT_SEED, options, None, None).precision
        tokens_of_picture = self.read_token_maps(token_maps)
        request = exchange(info, tokens_of_picture, scale, row, column, tokens, precision)
        pictures = self.engine.answer(request, self.client())
        place = request.scale, request.row, request.column
        box = neighbourhood(info.schedule, info.image_shape, *place)
        return ExchangedPictures(
            pictures=[png_url(one) for one in pictures],
            patches=[png_url(one.crop(box)) for one in pictures],
            box=list(box),
        )


def _rounded(values: Tensor) -> list[Any]:
    return np.round(values.double().numpy(), DIGITS).tolist()
