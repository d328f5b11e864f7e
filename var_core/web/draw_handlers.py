"""What the buttons of the Draw tab do, apart from the widgets."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from var_core.jobs.contact_sheet import write_animation
from var_core.jobs.data_url import thumbnail_url
from var_core.jobs.output_files import save_pictures
from var_core.jobs.parsing import branch, count_up, style_sheet, sweep
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.ranges import check_int
from var_core.serving.engine import Engine, sharpen_while_idle
from var_core.serving.fair_queue import BusyError
from var_core.web.controls import Choice, Controls, drawn_words, parse_numbers
from var_core.web.history import Entry, History, find_entry, remember, write_archive
from var_core.web.picture_files import PictureFiles
from var_core.web.progress import Moment, Plan, full_strip, stream
from var_core.web.tiles import finished_tiles


@dataclass(frozen=True)
class DrawInputs:
    """What the Draw tab holds when one of its buttons is pressed.

    Attributes:
        values: values of the controls.
        keep_seed: whether the seed stays as it is.
        progress: the last drawing, or None.
        scale: position of the scale slider.
        guidances: guidance of each row of a grid, as it was typed.
        num_seeds: columns of a grid.
        history: earlier steps.
    """

    values: Mapping[str, object]
    keep_seed: bool = True
    progress: JobProgress | None = None
    scale: int = 1
    guidances: str = ""
    num_seeds: int = 1
    history: History = ()


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
        self.sides = engine.info.schedule.sides

    def plan(self, what: str, inputs: DrawInputs) -> Plan:
        """Plan what a button draws.

        Args:
            what: "pictures", "styles", "grid", or "rest" (everything after the chosen scale).
            inputs: values of the tab.

        Raises:
            ValueError: if a value is out of range.
        """
        values = self.controls.with_seed(inputs.values, inputs.keep_seed)
        choice = self.controls.read(values)
        finish = partial(self._finish, values, choice, inputs.history)
        return Plan(self._request(what, inputs, choice), choice.pause, finish)

    def _request(self, what: str, inputs: DrawInputs, choice: Choice) -> DrawRequest:
        settings = choice.settings
        if what == "pictures":
            return count_up(settings, choice.count)
        if what == "styles":
            return style_sheet(self.engine.info, settings)
        if what == "grid":
            return sweep(settings, parse_numbers(inputs.guidances), inputs.num_seeds)
        if what == "rest":
            return branch(settings, inputs.progress, inputs.scale, len(self.sides))
        raise ValueError(f"there is nothing to draw named {what!r:.40}")

    def plan_again(self, number: object, history: History) -> Plan:
        """Plan to draw an entry of the history again, to the same pixels.

        Raises:
            ValueError: if there is no such entry.
        """
        entry = find_entry(history, number)
        choice = self.controls.read(entry.values)
        finish = partial(self._finish, entry.values, choice, None)
        return Plan(entry.request, choice.pause, finish)

    def restore(self, path: str) -> tuple[dict[str, object], Moment]:
        """The settings of a PNG that was drawn here.

        Returns:
            Values of the controls, and what the tab shows. A picture that kept the coarse scales
            of an earlier one is drawn, so that it can be redrawn.

        Raises:
            ValueError: if there is no recipe, or it is damaged or of another model.
            OSError: if the picture cannot be saved.
        """
        values, kept = self.controls.from_recipe(path)
        if not kept:
            sentence = "The settings of that picture are back. Press Draw to draw it again"
            return values, Moment(status=sentence)
        choice = self.controls.read(values)
        request = replace(count_up(choice.settings, 1), keep=kept)
        plan, shown = Plan(request, 0.0, partial(self._finish, values, choice, None)), Moment()
        for moment in stream(self.engine, plan, self.client()):
            changes = {name: part for name, part in vars(moment).items() if part is not None}
            shown = replace(shown, **changes)
        sentence = (
            f"The settings of that picture are back, and its first {len(kept)} scales. "
            f"Press Redraw from scale {len(kept)} to draw it again"
        )
        return values, replace(shown, status=sentence, scale=len(kept))

    def _finish(
        self,
        values: Mapping[str, object],
        choice: Choice,
        history: History | None,
        progress: JobProgress,
        seconds: float,
    ) -> Moment:
        """Save finished pictures; a history of None does not get an entry."""
        info, folder = self.engine.info, self.files.new_folder()
        paths = save_pictures(info, progress, folder, choice.with_recipe)
        words, seed = self._words(progress), progress.request.seeds[0]
        pictures = tuple(str(path) for path in (paths[:-1] or paths))
        sheet = paths[-1] if len(paths) > 1 else None
        if history is not None:
            thumbnail = thumbnail_url(progress.sheet(progress.total))
            history = remember(history, Entry(progress.request, values, words, thumbnail, pictures))
        return Moment(
            picture=pictures[0],
            status=f"Done in {seconds:.2f} s, seed {seed}: {words}",
            seed=seed,
            scale=progress.total,
            progress=progress,
            tiles=finished_tiles(progress, pictures, sheet),
            selected=0,
            files=pictures,
            history=history,
        )

    def _words(self, progress: JobProgress) -> str:
        """What was drawn."""
        drawn = drawn_words(self.controls.labels, progress.wishes[0]) or "anything"
        count = len(progress.labels)
        return f"{count} pictures, the first {drawn}" if count > 1 else drawn

    def stopped(self, progress: JobProgress | None) -> Moment:
        """What was drawn before somebody pressed Stop; its last frame becomes a true decode."""
        if progress is None or progress.is_drawn:
            return Moment(status="Stopped: nothing new was drawn")
        last = len(progress.frames)
        if progress.num_sketches == last:
            with contextlib.suppress(BusyError):
                progress = self.engine.sharpen(progress, self.client())
        progress = sharpen_while_idle(self.engine, progress, self.client())
        files = [self.files.write(picture) for picture in progress.frames[-1]]
        return Moment(
            picture=files[0],
            strip=full_strip(progress, self.sides),
            status=f"Stopped after scale {last} of {progress.total}",
            scale=last,
            progress=progress,
            tiles=finished_tiles(progress, files, None),
            selected=0,
        )

    def select(self, progress: JobProgress, place: object, scale: int) -> Moment:
        """Look at another picture of a drawing.

        Raises:
            ValueError: if there is no such picture, or the scale is out of range.
        """
        place = check_int("place", place, 0, len(progress.labels) - 1)
        picture, strip = self.scrub(progress, scale, place), full_strip(progress, self.sides, place)
        return Moment(picture=picture, strip=strip, selected=place)

    def scrub(self, progress: JobProgress, scale: int, place: int = 0) -> str:
        """The true decode after a scale, as a PNG file; while somebody draws, perhaps a sketch.

        Args:
            progress: the drawing.
            scale: number of the scale, from 1.
            place: place of the picture among those of the drawing.

        Raises:
            ValueError: if the scale is out of range.
        """
        check_int("scale", scale, 1, len(progress.frames))
        if scale <= progress.num_sketches and self.engine.is_idle():
            with contextlib.suppress(BusyError):
                progress = self.engine.sharpen(progress, self.client(), scale)
        return self.files.write(progress.frames[scale - 1][place])

    def animate(self, progress: JobProgress | None, place: int = 0) -> str:
        """An animation of how a picture of the drawing formed, in true decodes, as a WebP file.

        Raises:
            BusyError: if decodes are missing, and the queue is full.
            ValueError: if there is no picture yet.
            OSError: if it cannot be saved.
        """
        if progress is None:
            raise ValueError("there is no picture yet to animate: press Draw first")
        while progress.num_sketches:
            progress = self.engine.sharpen(progress, self.client())
        path = self.files.new_folder() / f"forming-seed{progress.request.seeds[place]}.webp"
        write_animation(path, [pictures[place] for pictures in progress.frames])
        return str(path)

    def archive(self, history: History) -> str:
        """All pictures of the history as a zip file.

        Raises:
            ValueError: if there are none.
            OSError: if it cannot be saved.
        """
        path = self.files.new_folder() / "var-studio.zip"
        write_archive(path, history)
        return str(path)

    def frame_file(self, progress: JobProgress | None, scale: int, place: object = 0) -> str:
        """The true decode of a picture of the drawing after a scale, as a PNG file.

        Raises:
            BusyError: if the decode is missing, and the queue is full.
            ValueError: if there is no picture yet, or the scale or the place is out of range.
        """
        if progress is None:
            raise ValueError("there is no picture yet to use: press Draw first")
        place = check_int("place", place, 0, len(progress.labels) - 1)
        check_int("scale", scale, 1, len(progress.frames))
        if scale <= progress.num_sketches:
            progress = self.engine.sharpen(progress, self.client(), scale)
        return self.files.write(progress.frames[scale - 1][place])
