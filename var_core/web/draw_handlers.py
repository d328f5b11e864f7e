"""What the buttons of the Draw tab do, apart from the widgets."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from torch import Tensor

from var_core.jobs.comparison import SCALES, parse_axis
from var_core.jobs.contact_sheet import write_animation
from var_core.jobs.output_files import save_pictures
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.ranges import check_int
from var_core.serving.engine import Engine, sharpen_while_idle
from var_core.serving.fair_queue import BusyError
from var_core.web.controls import Controls, drawn_words, new_seed
from var_core.web.examples import Example
from var_core.web.feed import MAX_NUMBER, ON_STAGE, Feed
from var_core.web.orders import (
    Order,
    kept_scales,
    order_request,
    picture_order,
    picture_values,
    recipe_sides,
)
from var_core.web.picture_files import PictureFiles
from var_core.web.progress import Moment

NUM_VARIATIONS = 4
NOTHING_YET = "there is no picture yet: draw one first"


@dataclass(frozen=True)
class DrawInputs:
    """What the Draw tab holds when one of its buttons is pressed.

    Attributes:
        values: values of the controls.
        keep_seed: whether the seed stays as it is.
        progress: the last drawing, or None.
        place: place of the picture that is looked at, from 0.
        scale: number of the scale that is looked at, from 1.
        sides: settings of the rows and columns of a sheet, with their values as typed.
    """

    values: Mapping[str, object]
    keep_seed: bool = True
    progress: JobProgress | None = None
    place: object = 0
    scale: object = 1
    sides: tuple[tuple[str, str], ...] = ()


class DrawHandlers:
    """Answers the buttons of the Draw tab with the pictures of one engine.

    Args:
        engine: engine that draws.
        folder: folder for finished pictures.
        client: function that returns the address of the client who asks.
    """

    def __init__(self, engine: Engine, folder: Path, client: Callable[[], str]) -> None:
        self.engine = engine
        self.files = PictureFiles(folder)
        self.client = client
        self.controls = Controls(engine.info)
        self.schedule = engine.info.schedule

    def order(self, what: str, inputs: DrawInputs) -> Order:
        """What a button asks for.

        Args:
            what: "pictures" of the controls, or a "sheet" of them; "again" (the picture with a new
                seed), "vary" (its coarse half kept), "rest" (its scales kept up to the one that is
                looked at), or "prompt" (the same, with the controls in place of its own wish).
            inputs: values of the tab.

        Raises:
            ValueError: if a value is out of range, or there is no such picture.
        """
        values = self.controls.with_seed(inputs.values, inputs.keep_seed)
        values = self.controls.complete(values)  # as a link is read: one drawing has one address
        if what == "pictures":
            return Order(values)
        if what == "sheet":
            return Order(values, inputs.sides, self._kept_for(inputs))
        if inputs.progress is None:
            raise ValueError(NOTHING_YET)
        place = self._place(inputs.progress, inputs.place)
        if what == "prompt":
            return Order(values, kept=kept_scales(inputs.progress, place, inputs.scale))
        values = self._values_of(inputs, inputs.progress, place)
        if what == "again":
            return Order(values)
        if what == "vary":
            half = min((self.schedule.num_scales + 1) // 2, len(inputs.progress.token_maps))
            values = {**values, "count": NUM_VARIATIONS}
            return Order(values, kept=kept_scales(inputs.progress, place, half))
        if what == "rest":
            return Order(values, kept=kept_scales(inputs.progress, place, inputs.scale))
        raise ValueError(f"there is nothing to draw named {what!r:.40}")

    def _kept_for(self, inputs: DrawInputs) -> tuple[Tensor, ...]:
        """As many scales of the picture on the stage as a sheet needs."""
        axes = [parse_axis(self.engine.info, *side) for side in inputs.sides]
        most = max((max(axis.values) for axis in axes if axis.name == SCALES), default=0)
        if not most:
            return ()
        place = 0 if inputs.progress is None else self._place(inputs.progress, inputs.place)
        return kept_scales(inputs.progress, place, most)

    def _values_of(
        self, inputs: DrawInputs, progress: JobProgress, place: int
    ) -> dict[str, object]:
        """Values for another picture of what one shows, with a new seed."""
        request = cast(DrawRequest, progress.request)  # the stage has no others
        values = picture_values(self.controls, request, place)
        extra = {"seed": new_seed(), "with_recipe": inputs.values["with_recipe"]}
        return {**values, **extra}

    def stream(self, order: Order) -> Iterator[Moment]:
        """Draw an order, and show every scale as soon as it is there.

        Raises:
            ValueError: if it is out of range, or the engine refuses it.
            OSError: if the pictures cannot be saved.
        """
        request = order_request(self.controls, order)
        return self._stream(order, request, order.query())

    def demo(self, example: Example) -> Iterator[Moment]:
        """Draw an example for somebody who has asked for nothing yet.

        It sets no seed, and neither the page's address nor its history takes it up.
        """
        request = order_request(self.controls, example.order)
        try:
            for moment in self._stream(example.order, request, query=""):
                yield replace(moment, seed=None)
        except BusyError:
            return
        yield Moment(f"An example: {example.words}. Now type your own wish")

    def _stream(self, order: Order, request: DrawRequest, query: str) -> Iterator[Moment]:
        feed, progress, seed = self._feed(), None, cast(int, order.values["seed"])
        start = feed.start(request, self.engine.info.image_shape, query)
        yield Moment(seed=seed, stage=start, selected=0, reached=0)
        for progress in self.engine.generate(request, self.client()):
            if progress.ahead:
                yield Moment(progress.status)
            elif progress.is_drawn:
                yield self._finish(order, feed, progress)
            else:
                shown, reached = feed.scale(progress), progress.number
                yield Moment(progress.status, seed, shown, progress, reached=reached)
        if progress is not None and progress.num_sketches and not order.sides:
            sharper = sharpen_while_idle(self.engine, progress, self.client())
            if sharper is not progress:
                yield Moment(stage=feed.frames(sharper, 0), progress=sharper)

    def _feed(self, number: int | None = None) -> Feed:
        return Feed(self.schedule, self.controls.labels, number)

    def _finish(self, order: Order, feed: Feed, progress: JobProgress) -> Moment:
        """Save the finished pictures."""
        info, with_recipe = self.engine.info, order.values["with_recipe"]
        paths = save_pictures(info, progress, self.files.new_folder(), with_recipe is True)
        pictures, sheet = (paths[:-1], paths[-1]) if len(paths) > 1 else (paths, None)
        request = cast(DrawRequest, progress.request)
        queries = [
            picture_order(self.controls, request, place, with_recipe).query()
            for place in range(len(pictures))
        ]
        feed.end(progress, pictures, sheet, queries)
        done, seed = f"Done in {progress.seconds:.2f} s", cast(int, order.values["seed"])
        if request.comparison is not None:
            rows, columns = request.comparison.rows, request.comparison.columns
            status = f"{done}: {rows.title} from row to row, {columns.title} from column to column"
            return Moment(status, seed, feed.text, progress)
        status = f"{done}, seed {seed}: {self._words(progress)}"
        return Moment(status, seed, feed.frames(progress, 0), progress)

    def _words(self, progress: JobProgress) -> str:
        """What was drawn."""
        drawn = drawn_words(self.controls.labels, progress.wishes[0]) or "anything"
        count = len(progress.labels)
        return f"{count} pictures, the first {drawn}" if count > 1 else drawn

    def restore(self, path: str) -> tuple[Order, str]:
        """The order of a PNG that was drawn here, and a sentence.

        Raises:
            ValueError: if there is no recipe, or it is damaged or of another model.
        """
        values, kept = self.controls.from_recipe(path)
        if sides := recipe_sides(self.engine.info, path):
            return Order(values, sides, kept), "The settings of that sheet are back"
        if kept:
            sentence = f"The settings of that picture and its first {len(kept)} scales are back"
            return Order(values, kept=kept), sentence
        sentence = "The settings of that picture are back. Press Draw to draw it again"
        return Order(values), sentence

    def opening(self, order: Order) -> str:
        """Text for the stage that lets the browser open a sheet where sheets are drawn."""
        return self._feed(ON_STAGE).open(order.query())

    def stopped(self, progress: JobProgress | None) -> Moment:
        """What was drawn before somebody pressed Stop; its last frame becomes a true decode."""
        if progress is None or progress.is_drawn:
            return Moment("Stopped: nothing new was drawn", stage=self._feed(ON_STAGE).nothing())
        last = len(progress.frames)
        if progress.num_sketches == last:
            with contextlib.suppress(BusyError):
                progress = self.engine.sharpen(progress, self.client())
        progress = sharpen_while_idle(self.engine, progress, self.client())
        return Moment(
            f"Stopped after scale {last} of {progress.total}",
            stage=self._whole(progress),
            progress=progress,
        )

    def _whole(self, progress: JobProgress) -> str:
        feed = self._feed(ON_STAGE)
        feed.end(progress, [self.files.write(picture) for picture in progress.frames[-1]])
        return feed.frames(progress, 0)

    def look_at(self, progress: JobProgress, place: object, number: object) -> str:
        """Text for the stage with all scales of another picture of a drawing.

        Args:
            progress: the drawing.
            place: place of the picture, from 0.
            number: number of the drawing on the stage.

        Raises:
            ValueError: if there is no such picture.
        """
        place = self._place(progress, place)
        number = check_int("run", number, 1, MAX_NUMBER)
        if progress.num_sketches:
            progress = sharpen_while_idle(self.engine, progress, self.client())
        return self._feed(number).frames(progress, place)

    def animate(self, progress: JobProgress | None, place: object = 0) -> str:
        """An animation of how a picture of the drawing formed, in true decodes, as a WebP file.

        Raises:
            BusyError: if decodes are missing, and the queue is full.
            ValueError: if there is no such picture.
            OSError: if it cannot be saved.
        """
        if progress is None:
            raise ValueError(NOTHING_YET)
        place = self._place(progress, place)
        while progress.num_sketches:
            progress = self.engine.sharpen(progress, self.client())
        path = self.files.new_folder() / f"forming-seed{progress.request.seeds[place]}.webp"
        write_animation(path, [pictures[place] for pictures in progress.frames])
        return str(path)

    def frame_file(self, progress: JobProgress | None, scale: object, place: object = 0) -> str:
        """The true decode of a picture of the drawing after a scale, as a PNG file.

        Raises:
            BusyError: if the decode is missing, and the queue is full.
            ValueError: if there is no picture yet, or the scale or the place is out of range.
        """
        if progress is None:
            raise ValueError(NOTHING_YET)
        place = self._place(progress, place)
        scale = check_int("scale", scale, 1, len(progress.frames))
        if scale <= progress.num_sketches:
            progress = self.engine.sharpen(progress, self.client(), scale)
        return self.files.write(progress.frames[scale - 1][place])

    def _place(self, progress: JobProgress, place: object) -> int:
        return check_int("place", place, 0, len(progress.labels) - 1)
