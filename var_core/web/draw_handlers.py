"""What a press of each button of the page does, apart from the widgets."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from var_core.images import read_image
from var_core.jobs.contact_sheet import PREVIEW_SIDE, enlarge, write_animation
from var_core.jobs.data_url import png_url, thumbnail_url
from var_core.jobs.output_files import save_pictures
from var_core.jobs.parsing import (
    branch,
    count_up,
    progress_from_tokens,
    style_sheet,
    sweep,
)
from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress, Paced
from var_core.jobs.reconstruction import (
    Reconstruction,
    error_map,
    token_map_image,
)
from var_core.jobs.requests import DrawRequest
from var_core.ranges import check_int
from var_core.serving.engine import Engine, sharpen_while_idle
from var_core.serving.fair_queue import BusyError
from var_core.web.controls import Choice, Controls, parse_numbers
from var_core.web.history import Entry, History, check_place, remember, write_archive
from var_core.web.html import strip_html, tokens_html

TOKEN_MAP_SIDE = 64  # pixels


@dataclass(frozen=True)
class Moment:
    """What the page shows after a scale; None leaves a part as it is.

    Attributes:
        picture: a preview, or at the end the PNG file.
        strip: HTML of all scales.
        status: a sentence.
        seed: of the first picture.
        scale: of the scrubber.
        files: at the end the PNG files of several pictures, none of a single one.
        run: what was drawn so far.
        history: at the end, with this run.
    """

    picture: Image.Image | str | None = None
    strip: str | None = None
    status: str | None = None
    seed: int | None = None
    scale: int | None = None
    files: tuple[str, ...] | None = None
    run: JobProgress | None = None
    history: History | None = None


class Studio:
    """The handlers of the page, around one engine.

    Args:
        engine: draws.
        model_name: shown on the page and written into recipes.
        folder: where finished pictures go.
        client: tells who asks.
    """

    def __init__(
        self, engine: Engine, model_name: str, folder: Path, client: Callable[[], str] = str
    ) -> None:
        self.engine = engine
        self.model_name = model_name
        self.folder = folder
        self.client = client
        self.controls = Controls(engine.info, model_name)
        self.labels = engine.info.labels
        self.sides = engine.info.schedule.sides

    def draw(self, what: str, *inputs: object) -> Iterator[Moment]:
        """Draw; the last moment is the finished one.

        Args:
            what: "pictures", "styles", "grid" or "rest" (from the scrubber's scale on).
            inputs: the values of all controls, whether the seed is kept, the last run, the scale
                of the scrubber, the guidances and the number of seeds of a grid, the history.

        Raises:
            ValueError: if a value is out of range; nothing has been drawn then.
            OSError: if the pictures cannot be saved.
        """
        *values, keep_seed, run, scale, guidances, num_seeds, history = inputs
        values = self.controls.with_seed(values, keep_seed)
        choice = self.controls.read(values)
        settings = choice.settings
        if what == "pictures":
            request = count_up(settings, choice.count)
        elif what == "styles":
            request = style_sheet(self.engine.info, settings)
        elif what == "grid":
            request = sweep(settings, parse_numbers(str(guidances)), num_seeds)
        elif what == "rest":
            request = branch(settings, run, scale, len(self.sides))
        else:
            raise ValueError(f"there is nothing to draw named {what!r:.40}")
        yield from self._stream(request, values, choice, history)

    def draw_again(self, place: int, history: History) -> Iterator[Moment]:
        """Draw an entry of the history again, to the same pixels.

        Raises:
            ValueError: if there is no such entry.
            OSError: if the pictures cannot be saved.
        """
        entry = history[check_place(history, place)]
        choice = self.controls.read(entry.values)
        yield from self._stream(entry.request, list(entry.values), choice, None)

    def restore(self, path: str) -> tuple[list[object], Moment]:
        """The settings of a PNG that was drawn here.

        Returns:
            Values of the controls, and what the page shows: for a picture that went on from the
            coarse scales of an earlier one, that picture drawn again, so that it can be redrawn.

        Raises:
            ValueError: if there is no recipe, or it is damaged or of another model.
            OSError: if the picture cannot be saved.
        """
        values, kept = self.controls.from_recipe(path)
        if not kept:
            sentence = "The settings of that picture are back. Press Generate to draw it again"
            return values, Moment(status=sentence)
        choice = self.controls.read(values)
        request = replace(count_up(choice.settings, 1), keep=kept)
        last = Moment()
        for moment in self._stream(request, values, replace(choice, pause=0.0), None):
            changes = {name: v for name, v in vars(moment).items() if v is not None}
            last = replace(last, **changes)
        sentence = (
            f"The settings of that picture are back, and its first {len(kept)} scales. "
            f"Press Redraw from scale {len(kept)} to draw it again"
        )
        return values, replace(last, status=sentence, scale=len(kept))

    def _stream(
        self, request: DrawRequest, values: list[object], choice: Choice, history: History | None
    ) -> Iterator[Moment]:
        """Draw and save; a history of None remembers nothing."""
        seed, thumbnails = request.seeds[0], []
        paced = Paced(self.engine.generate(request, self.client()), choice.pause)
        for run in paced:
            if run.ahead:
                yield Moment(status=run.status)
            elif not run.is_drawn:
                sheet = run.sheet(run.number)
                thumbnails.append(thumbnail_url(sheet))
                strip = strip_html(thumbnails, self.sides, run.num_sketches)
                preview = enlarge(sheet, PREVIEW_SIDE)
                yield Moment(preview, strip, run.status, seed, run.number, run=run)
            else:
                yield self._finish(run, values, choice, history, paced.seconds)
        sharper = sharpen_while_idle(self.engine, run, self.client())
        if sharper is not run:  # nothing else changes: people look around by now
            yield Moment(strip=self._strip(sharper), run=sharper)

    def _finish(
        self,
        run: JobProgress,
        values: list[object],
        choice: Choice,
        history: History | None,
        seconds: float,
    ) -> Moment:
        """Save finished pictures."""
        folder = self._new_folder()
        paths = save_pictures(self.labels, self.model_name, run, folder, choice.with_recipe)
        words, seed = self._words(run), run.request.seeds[0]
        pictures = tuple(str(path) for path in (paths[:-1] or paths))
        if history is not None:
            thumbnail = thumbnail_url(run.sheet(run.total))
            history = remember(
                history, Entry(run.request, tuple(values), words, thumbnail, pictures)
            )
        return Moment(
            str(paths[-1]),
            self._strip(run),
            f"Done in {seconds:.2f} s, seed {seed}: {words}",
            seed,
            run.total,
            pictures if len(pictures) > 1 else (),
            run,
            history,
        )

    def _strip(self, run: JobProgress) -> str:
        """All scales of a run: one picture pixel for pixel, several as thumbnails."""
        if len(run.labels) == 1:
            urls = [png_url(frame) for (frame,) in run.frames]
        else:
            numbers = range(1, len(run.frames) + 1)
            urls = [thumbnail_url(run.sheet(number)) for number in numbers]
        return strip_html(urls, self.sides, run.num_sketches)

    def _words(self, run: JobProgress) -> str:
        """What was drawn."""
        names = [name for name in self.labels.names(run.labels[0]).values() if name]
        drawn = ", ".join(names) or "anything"
        return f"{len(run.labels)} pictures, the first {drawn}" if len(run.labels) > 1 else drawn

    def stopped(self, run: JobProgress | None) -> Moment:
        """What was drawn until somebody pressed Stop; its last frame becomes a true decode."""
        if run is None:
            return Moment(status="Stopped")
        last = len(run.frames)
        if run.num_sketches == last:
            with contextlib.suppress(BusyError):
                run = self.engine.sharpen(run, self.client())
        run = sharpen_while_idle(self.engine, run, self.client())
        return Moment(self.scrub(run, last), self._strip(run), "Stopped", scale=last, run=run)

    def scrub(self, run: JobProgress, scale: int) -> str:
        """The true decode after a scale, as a PNG file; while somebody draws, perhaps a sketch.

        Raises:
            ValueError: if the scale is out of range.
        """
        check_int("scale", scale, 1, len(run.frames))
        if scale <= run.num_sketches and self.engine.is_idle():
            with contextlib.suppress(BusyError):
                run = self.engine.sharpen(run, self.client(), scale)
        return self._write(run.sheet(scale))

    def animate(self, run: JobProgress | None) -> str:
        """The forming of the last picture as a WebP file, in true decodes.

        Raises:
            BusyError: if some have yet to be made, and there is no room.
            ValueError: if there is none yet.
            OSError: if it cannot be saved.
        """
        if run is None:
            raise ValueError("there is no picture yet to animate: press Generate first")
        while run.num_sketches:
            run = self.engine.sharpen(run, self.client())
        path = self._new_folder() / f"forming-seed{run.request.seeds[0]}.webp"
        write_animation(path, [run.sheet(number) for number in range(1, len(run.frames) + 1)])
        return str(path)

    def archive(self, history: History) -> str:
        """All pictures of the history as a zip file.

        Raises:
            ValueError: if there are none.
            OSError: if it cannot be saved.
        """
        path = self._new_folder() / "var-studio.zip"
        write_archive(path, history)
        return str(path)

    def last_seed(self, run: JobProgress | None) -> int:
        """The seed of the last picture.

        Raises:
            ValueError: if there is none yet.
        """
        if run is None:
            raise ValueError("there is no picture yet whose seed could be used: press Generate")
        return run.request.seeds[0]

    def frame_file(self, run: JobProgress | None, scale: int) -> str:
        """The true decode of the first picture after a scale, as a PNG file.

        Raises:
            BusyError: if it has yet to be made, and there is no room.
            ValueError: if there is none yet, or the scale is out of range.
        """
        if run is None:
            raise ValueError("there is no picture yet to use: press Generate first")
        check_int("scale", scale, 1, len(run.frames))
        if scale <= run.num_sketches:
            run = self.engine.sharpen(run, self.client(), scale)
        return self._write(run.frames[scale - 1][0])

    def tokenize(self, path: str) -> tuple[str, str, str, Reconstruction]:
        """What the tokenizer makes of a picture.

        Args:
            path: of a PNG, JPEG or WebP file.

        Returns:
            HTML of the reconstructions and of the token maps, a sentence, and the reconstruction.

        Raises:
            ValueError: if it is no such file, or too large.
        """
        result = self.engine.tokenize(read_image(path), self.client())
        colours = self.engine.code_colours()
        maps = [token_map_image(one[0], colours, TOKEN_MAP_SIDE) for one in result.token_maps]
        num_tokens = self.engine.info.schedule.num_tokens
        return (
            strip_html([png_url(frame) for frame in result.frames], self.sides),
            tokens_html([png_url(one) for one in maps], self.sides, result.bits, result.psnr),
            f"{num_tokens} tokens, {result.bits[-1]} bits, PSNR {result.psnr[-1]:.1f} dB "
            "(higher is closer to your picture)",
            result,
        )

    def look(self, result: Reconstruction, scale: int) -> tuple[str, str]:
        """Reconstruction and error map after a scale, as PNG files.

        Raises:
            ValueError: if the scale is out of range.
        """
        frame = result.frames[check_int("scale", scale, 1, len(result.frames)) - 1]
        return self._write(frame), self._write(error_map(result.source, frame))

    def branch_off(self, result: Reconstruction | None, scale: int) -> Moment:
        """Make a tokenized picture the one to redraw from.

        Raises:
            ValueError: if there is none yet, or the scale is out of range.
        """
        if result is None:
            raise ValueError("there is no picture yet to branch from: drop one first")
        total = len(self.sides)
        scale = min(check_int("scale", scale, 1, total), total - 1)
        run = progress_from_tokens(self.engine.info, result.token_maps, result.frames)
        return Moment(
            self.scrub(run, scale),
            strip_html([png_url(frame) for (frame,) in run.frames], self.sides),
            f"Your picture after {scale} scales. Choose labels, then press Redraw",
            scale=scale,
            files=(),
            run=run,
        )

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    def _write(self, image: Image.Image) -> str:
        path = self._new_folder() / "picture.png"
        write_png(path, image, None)
        return str(path)
