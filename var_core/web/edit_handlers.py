"""What the buttons of the page's Edit tab do, apart from the widgets."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.editing import Margins, read_mask
from var_core.editing.masks import EMPTY, grow
from var_core.images import read_image
from var_core.jobs.contact_sheet import PREVIEW_SIDE, enlarge
from var_core.jobs.data_url import png_url, thumbnail_url
from var_core.jobs.mask_codec import read_runs, resize_mask, write_runs
from var_core.jobs.output_files import save_pictures
from var_core.jobs.parsing import edit, outpaint, vary
from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress, Paced
from var_core.jobs.requests import EditRequest, VaryRequest
from var_core.ranges import check_int
from var_core.serving.engine import Engine, sharpen_while_idle
from var_core.web.controls import Choice, Controls
from var_core.web.html import strip_html

SHOWN_SIDE = 1024  # pixels; larger pictures are painted on at a smaller size
MAX_GROW = 64  # pixels


@dataclass(frozen=True)
class Canvas:
    """The picture that is being edited.

    Attributes:
        path: PNG file with its pixels and nothing else.
        size: width and height.
    """

    path: str
    size: tuple[int, int]

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height at which it is painted on."""
        factor = min(1.0, SHOWN_SIDE / max(self.size))
        return tuple(max(1, round(side * factor)) for side in self.size)

    def url(self, image: Image.Image) -> str:
        """The picture at the size at which it is painted on, as data URL."""
        return png_url(image.resize(self.shown, Image.Resampling.LANCZOS))

    def read(self) -> Image.Image:
        """The picture.

        Raises:
            ValueError: if it has been swept away.
        """
        try:
            with Image.open(self.path, formats=("PNG",)) as image:
                return image.convert("RGB")
        except OSError as error:
            raise ValueError("the picture is not there any more: open it again") from error


@dataclass(frozen=True)
class EditMoment:
    """What the tab shows after a scale; None leaves a part as it is.

    Attributes:
        picture: a preview, or at the end the PNG file.
        strip: HTML of all scales.
        status: a sentence.
        seed: as it was used.
        before: PNG file to compare with, at the end.
        result: the finished picture, at the end.
    """

    picture: Image.Image | str | None = None
    strip: str | None = None
    status: str | None = None
    seed: int | None = None
    before: str | None = None
    result: Canvas | None = None


class Retouch:
    """The handlers of the Edit tab, around one engine.

    Args:
        engine: draws.
        model_name: written into recipes.
        folder: where pictures go.
        controls: check the values of the page.
        client: tells who asks.
    """

    def __init__(
        self,
        engine: Engine,
        model_name: str,
        folder: Path,
        controls: Controls,
        client: Callable[[], str] = str,
    ) -> None:
        self.engine = engine
        self.model_name = model_name
        self.folder = folder
        self.controls = controls
        self.client = client
        schedule = engine.info.schedule
        self.num_scales = schedule.num_scales
        self.sides = schedule.sides

    def open(self, path: str) -> tuple[Canvas, str, str]:
        """Make a picture the one to edit.

        Args:
            path: of a PNG, JPEG or WebP file.

        Returns:
            The canvas, a data URL to paint on, and a sentence.

        Raises:
            ValueError: if it is no such file, or too large.
            OSError: if it cannot be stored.
        """
        image = read_image(path)
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "picture.png"
        write_png(path, image, None)
        canvas = Canvas(str(path), image.size)
        sentence = f"{image.width}x{image.height} pixels. Paint the area to change"
        return canvas, canvas.url(image), sentence

    def mask_from_file(self, canvas: Canvas | None, path: str) -> str:
        """Run lengths of a mask file: what is lighter than half grey is redrawn.

        Raises:
            ValueError: if there is no picture yet, or the file does not fit it.
        """
        return write_runs(resize_mask(read_mask(path), _opened(canvas).shown))

    def grow(self, text: object, pixels: object) -> str:
        """A painted mask with a border of so many pixels added, or taken away if negative.

        Raises:
            ValueError: if nothing is painted, or a value is out of range.
        """
        pixels = check_int("pixels", pixels, -MAX_GROW, MAX_GROW)
        return write_runs(grow(_painted(text), pixels))

    def edit(
        self,
        task: str,
        canvas: Canvas | None,
        painted: object,
        sides: tuple[object, object, object, object],
        keep_scales: object,
        best_of: object,
        keep_seed: bool,
        values: list[object],
    ) -> Iterator[EditMoment]:
        """Edit; the last moment is the finished one.

        Args:
            task: "redraw", "outpaint" or "vary".
            canvas: the picture.
            painted: run lengths of the mask.
            sides: pixels to add left, top, right and at the bottom.
            keep_scales: of a variation.
            best_of: candidates of the coarse scales.
            keep_seed: else it is a new one.
            values: of all controls.

        Raises:
            ValueError: if a value is out of range; nothing has been drawn then.
            OSError: if the picture cannot be saved.
        """
        canvas = _opened(canvas)
        choice = self.controls.read(self.controls.with_seed(values, keep_seed))
        image, settings = canvas.read(), choice.settings
        if task == "redraw":
            mask = resize_mask(_painted(painted), canvas.size)
            request: EditRequest | VaryRequest = edit(settings, image, mask, best_of=best_of)
        elif task == "outpaint":
            request = outpaint(settings, image, Margins(*sides), best_of=best_of)
        elif task == "vary":
            request = vary(settings, image, keep_scales, 1, self.num_scales)
        else:
            raise ValueError(f"there is no task named {task!r:.40}")
        yield from self._stream(request, choice)

    def _stream(self, request: EditRequest | VaryRequest, choice: Choice) -> Iterator[EditMoment]:
        seed, thumbnails = request.seeds[0], []
        paced = Paced(self.engine.generate(request, self.client()), choice.pause)
        for run in paced:
            if run.ahead:
                yield EditMoment(status=run.status)
            else:
                frame = run.frames[-1][0]
                if len(thumbnails) == self.num_scales:
                    thumbnails = []  # a new window begins
                thumbnails.append(thumbnail_url(frame))
                strip = strip_html(thumbnails, self.sides, run.num_sketches)
                if run.is_drawn:
                    before = request.original(frame.size)
                    yield self._finish(run, before, choice, strip, paced.seconds)
                else:
                    yield EditMoment(enlarge(frame, PREVIEW_SIDE), strip, run.status, seed)
        sharper = sharpen_while_idle(self.engine, run, self.client())
        if sharper is not run:
            thumbnails = [thumbnail_url(frames[0]) for frames in sharper.frames]
            yield EditMoment(strip=strip_html(thumbnails, self.sides, sharper.num_sketches))

    def _finish(
        self, run: JobProgress, original: Image.Image, choice: Choice, strip: str, seconds: float
    ) -> EditMoment:
        path, before = self._save(run, original, choice.with_recipe)
        seed = run.request.seeds[0]
        return EditMoment(
            path,
            strip,
            f"Done in {seconds:.2f} s, seed {seed}. Press Use as input to go on from here",
            seed,
            before,
            Canvas(path, run.frames[-1][0].size),
        )

    def _save(self, run: JobProgress, original: Image.Image, with_recipe: bool) -> tuple[str, str]:
        """The result as a file, and the picture before, of the same size."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        path = save_pictures(self.controls.labels, self.model_name, run, folder, with_recipe)[0]
        write_png(folder / "before.png", original, None)
        return str(path), str(folder / "before.png")

    def take_over(self, result: Canvas | None) -> tuple[Canvas, str]:
        """Make a result the picture to edit.

        Raises:
            ValueError: if there is none yet, or it has been swept away.
        """
        if result is None:
            raise ValueError("there is no result yet: redraw something first")
        return result, result.url(result.read())


def _opened(canvas: Canvas | None) -> Canvas:
    if canvas is None:
        raise ValueError("there is no picture yet: open one, drop one, or send one from Draw")
    return canvas


def _painted(text: object) -> np.ndarray:
    if text in ("", None):
        raise ValueError(EMPTY)
    return read_runs(text)
