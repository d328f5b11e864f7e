"""The list of all endpoints for programs: plain typed functions, JSON in and out.

Those that draw are in `draw_endpoints.py`, those that edit in `edit_endpoints.py`, those that look
inside a picture in `inside_endpoints.py`, the one that draws clips in `animate_endpoints.py`.
"""

from collections.abc import Callable
from typing import Any, TypedDict

from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import MAX_COUNT, read_base64
from var_core.jobs.png_recipe import read_png_recipe
from var_core.sampling import MAX_SEED
from var_core.scales import short_form
from var_core.serving.animate_endpoints import AnimateEndpoints
from var_core.serving.draw_endpoints import DrawEndpoints
from var_core.serving.edit_endpoints import EditEndpoints
from var_core.serving.inside_endpoints import InsideEndpoints


class TokenizedPicture(TypedDict):
    """What the tokenizer makes of a picture."""

    pictures: list[str]
    token_maps: list[list[list[list[int]]]]
    psnr: list[float]
    bits: list[int]


class Api(DrawEndpoints, EditEndpoints, InsideEndpoints, AnimateEndpoints):
    """All endpoints of one model, and that of the server's model of clips where there is one."""

    def queued(self) -> list[Callable[..., Any]]:
        """The endpoints that need the engine, which may have to wait for their turn."""
        return [
            self.generate,
            self.stream,
            self.compare,
            self.redraw,
            self.edit,
            self.outpaint,
            self.vary,
            self.tokenize,
            self.look_inside,
            self.exchange,
            *[self.animate] * (self.engine.animator is not None),
        ]

    def immediate(self) -> list[Callable[..., Any]]:
        """The endpoints that answer at once."""
        return [self.recipe, self.about]

    def about(self) -> dict[str, Any]:
        """The model: its attributes with all their values, its scales, its default options."""
        info = self.engine.info
        return {
            "model": info.name,
            "pixels": short_form((1, *info.image_shape)),
            "scales": list(info.schedule.sides),
            "labels": {a.name: list(a.values) for a in info.labels.attributes},
            "menus": {menu.name: list(menu.names) for menu in info.labels.menus},
            "phrases": info.max_phrases,
            "options": {one.name: one.default for one in info.option_fields},
            "limits": {
                "count": MAX_COUNT,
                "seed": MAX_SEED,
                **{one.name: [one.low, one.high] for one in info.option_fields if one.step},
            },
        }

    def tokenize(self, picture: str) -> TokenizedPicture:
        """Encode a picture; returns its reconstruction after every scale.

        Args:
            picture: PNG, JPEG or WebP as base64, with or without the head of a data URL.
        """
        result = self.engine.tokenize(self.picture_reader(picture), self.client())
        return TokenizedPicture(
            pictures=[png_url(frame) for frame in result.frames],
            token_maps=[tokens.tolist() for tokens in result.token_maps],
            psnr=list(result.psnr),
            bits=list(result.bits),
        )

    def recipe(self, picture: str) -> dict[str, Any]:
        """The recipe in a PNG picture that VAR Studio drew.

        Args:
            picture: PNG as base64, with or without the head of a data URL.
        """
        recipe = read_png_recipe(read_base64(picture))
        if recipe is None:
            raise ValueError("the picture holds no recipe of VAR Studio")
        return recipe
