"""What the tab Look inside does, apart from the widgets."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from var_core.images import read_image
from var_core.inspection import exchange_token
from var_core.jobs.inside import (
    Inside,
    InsideRequest,
    exchange,
    inside_drawing,
    neighbourhood,
)
from var_core.jobs.parsing import progress_from_tokens
from var_core.jobs.progress import JobProgress
from var_core.ranges import check_int
from var_core.serving.engine import Engine
from var_core.web.controls import Controls, drawn_words
from var_core.web.inside_content import inside_content, patches_content
from var_core.wishes import Wish

LARGEST_NUMBER = 2**53 - 1  # that a script tells from its neighbours


@dataclass(frozen=True)
class View:
    """The inside of a picture, ready to be shown.

    Attributes:
        inside: what was found.
        content: JSON for the page.
        report: a sentence.
        is_wished: whether it is known what the picture was asked to show.
    """

    inside: Inside
    content: str
    report: str
    is_wished: bool


class InsideHandlers:
    """Looks into pictures with one engine.

    Args:
        engine: encodes, decodes and judges.
        client: function that returns the address of the client who asks.
    """

    def __init__(self, engine: Engine, client: Callable[[], str]) -> None:
        self.engine = engine
        self.client = client
        self.controls = Controls(engine.info)

    def open(self, path: str) -> View:
        """Look into any picture; one that was drawn here is judged by its recipe.

        Args:
            path: path of a PNG, JPEG or WebP file.

        Raises:
            ValueError: if it is no such file, or too large.
        """
        wish = self._recipe_wish(path)
        asked = wish or self.engine.info.reader.read()
        request = InsideRequest(asked, picture=partial(read_image, path))
        return self._look(request, is_wished=wish is not None)

    def look(self, progress: JobProgress | None, place: object) -> View:
        """Look into a picture of a drawing.

        Raises:
            ValueError: if nothing was drawn yet, or there is no such picture.
        """
        return self._look(inside_drawing(progress, place), is_wished=True)

    def look_edited(self, path: Path, progress: JobProgress | None, place: object) -> View:
        """Look into what became of a picture of a drawing, judged by what that was asked to show.

        Args:
            path: file of the edited picture.
            progress: the drawing.
            place: place of the picture, from 0.

        Raises:
            ValueError: if the file is not there any more, or there is no such picture.
        """
        wish = inside_drawing(progress, place).wish
        return self._look(InsideRequest(wish, picture=partial(read_image, path)), is_wished=True)

    def _look(self, request: InsideRequest, is_wished: bool) -> View:
        info = self.engine.info
        inside = self.engine.answer(request, self.client())
        content = inside_content(info, inside, self.engine.code_colours())
        shown = inside.reconstruction
        words = drawn_words(info.labels, inside.wish)
        judged = f"judged as {words}" if words else "judged as a picture of anything"
        quality = f", PSNR {shown.psnr[-1]:.1f} dB" if request.picture is not None else ""
        count = sum(one.numel() for one in shown.token_maps)
        report = f"{count} tokens, {shown.bits[-1]} bits{quality}, {judged}"
        return View(inside, content, report, is_wished)

    def patches(
        self, view: View | None, scale: object, row: object, column: object, turn: object = 0
    ) -> str:
        """What the likeliest other codes would look like at a place, after the present one.

        Args:
            view: the picture that is looked into.
            scale: number of a scale, from 1.
            row: row of the place.
            column: column of the place.
            turn: number that the page gave to its question, and finds in the answer.

        Returns:
            JSON for the page.

        Raises:
            ValueError: if there is no picture yet, no such place, or no such number.
        """
        number = check_int("turn", turn, 0, LARGEST_NUMBER)
        inside, info = _opened(view).inside, self.engine.info
        token_maps = inside.reconstruction.token_maps
        place = exchange(info, token_maps, scale, row, column, [0])  # which checks it
        at = (0, place.row, place.column)
        judged = inside.inspection.scales[place.scale - 1]
        codes = [int(judged.token_map[at]), *judged.alternatives[at].tolist()]
        request = exchange(
            info, token_maps, place.scale, place.row, place.column, codes, inside.precision
        )
        pictures = self.engine.answer(request, self.client())
        where = place.scale, place.row, place.column
        box = neighbourhood(info.schedule, info.image_shape, *where)
        return patches_content(request, pictures, box, number)

    def exchanged(
        self, view: View | None, scale: object, row: object, column: object, token: object
    ) -> tuple[JobProgress, int]:
        """The picture with one code exchanged, to be drawn on after the scale of that code.

        Returns:
            A job that holds its tokens, and the number of scales to keep.

        Raises:
            ValueError: if there is no picture yet, no such place or code, or nothing finer to draw.
        """
        inside, info = _opened(view).inside, self.engine.info
        token_maps = inside.reconstruction.token_maps
        place = exchange(info, token_maps, scale, row, column, [token])
        if place.scale == info.schedule.num_scales:
            raise ValueError("nothing finer is left to draw: choose a place of an earlier scale")
        check_int("scale", place.scale, 1, len(token_maps))
        where = place.scale - 1, place.row, place.column
        changed = exchange_token(token_maps, *where, place.tokens)
        return progress_from_tokens(info, changed), place.scale

    def values_of(self, view: View | None) -> dict[str, object]:
        """Values of the controls that say what the picture was asked to show; {} if not known."""
        if view is None or not view.is_wished:
            return {}
        return self.controls.of_wish(view.inside.wish)

    def _recipe_wish(self, path: str) -> Wish | None:
        """What a picture that was drawn here was asked to show; None for others."""
        if Path(path).suffix.lower() != ".png":
            return None
        try:
            values, _ = self.controls.from_recipe(path)
        except ValueError:  # of another model, or none at all
            return None
        return self.controls.read(values).settings.wish


def _opened(view: View | None) -> View:
    if view is None:
        raise ValueError("there is no picture yet to look into: open one, or send a drawing")
    return view
