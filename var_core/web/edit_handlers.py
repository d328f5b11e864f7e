"""What the buttons of the Edit tab do, apart from the widgets."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.editing import Margins, read_mask
from var_core.editing.masks import EMPTY, grow
from var_core.images import read_image
from var_core.jobs.late_request import LateRequest, edit_later, outpaint_later, vary_later
from var_core.jobs.mask_codec import read_runs, resize_mask, write_runs
from var_core.jobs.output_files import save_pictures
from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress
from var_core.model_info import ModelInfo
from var_core.ranges import check_int
from var_core.web.canvas import Canvas
from var_core.web.controls import Choice, Controls, drawn_words
from var_core.web.picture_files import PictureFiles
from var_core.web.progress import Moment, Plan

MAX_GROW = 64  # pixels


def _no_turn(*, is_owed: bool = False) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class EditInputs:
    """What the Edit tab holds when one of its buttons is pressed.

    Attributes:
        canvas: the picture, or None.
        mask: run lengths of the painted mask; "" if nothing is painted.
        values: values of the controls.
        keep_seed: whether the seed stays as it is.
        margins: pixels to add at each side.
        keep_scales: scales that a variation keeps.
        best_of: number of candidates of the coarse scales.
    """

    canvas: Canvas | None
    mask: object
    values: Mapping[str, object]
    keep_seed: bool = True
    margins: Mapping[str, int] = field(default_factory=dict)
    keep_scales: int = 1
    best_of: int = 1


class EditHandlers:
    """What the buttons of the Edit tab open, change and plan.

    Args:
        info: model that draws.
        folder: folder for pictures.
        turn: function that returns a turn for heavy work, as `Engine.turn` of the client who asks.
    """

    def __init__(
        self,
        info: ModelInfo,
        folder: Path,
        turn: Callable[..., AbstractContextManager[None]] = _no_turn,
    ) -> None:
        self.info = info
        self.turn = turn
        self.files = PictureFiles(folder)
        self.controls = Controls(info)

    def open(self, path: str) -> tuple[Canvas, str]:
        """Make a picture the one to edit.

        Args:
            path: path of a PNG, JPEG or WebP file.

        Returns:
            The canvas, and a sentence.

        Raises:
            ValueError: if it is no such file, or too large.
            OSError: if it cannot be stored.
        """
        with self.turn():
            image = read_image(path)
            canvas = Canvas(Path(self.files.write(image)), image.size)
        return canvas, f"{image.width}x{image.height} pixels. Paint the area to change"

    def take_result(self, result: Canvas | None) -> Canvas:
        """Make a result the picture to edit.

        Raises:
            ValueError: if there is none yet.
        """
        if result is None:
            raise ValueError("there is no result yet: redraw something first")
        return result

    def mask_from_file(self, canvas: Canvas | None, path: str) -> str:
        """Run lengths of a mask file: what is lighter than half grey is redrawn.

        Raises:
            ValueError: if there is no picture yet, or the file does not fit it.
        """
        size = _opened(canvas).shown
        with self.turn():
            return write_runs(resize_mask(read_mask(path), size))

    def grow(self, mask: object, pixels: object) -> str:
        """A painted mask with a border of some pixels added, or taken away if negative.

        Raises:
            ValueError: if nothing is painted, or a value is out of range.
        """
        pixels = check_int("pixels", pixels, -MAX_GROW, MAX_GROW)
        with self.turn():
            return write_runs(grow(_painted(mask), pixels))

    def plan(self, task: str, inputs: EditInputs) -> Plan:
        """Plan what a button draws.

        Args:
            task: "redraw", "outpaint" or "vary".
            inputs: values of the tab.

        Raises:
            ValueError: if a value is out of range.
        """
        canvas = _opened(inputs.canvas)
        choice = self.controls.read(self.controls.with_seed(inputs.values, inputs.keep_seed))
        request = self._request(task, inputs, canvas, choice)
        return Plan(request, partial(self._finish, request, choice))

    def _request(
        self, task: str, inputs: EditInputs, canvas: Canvas, choice: Choice
    ) -> LateRequest:
        settings, best_of = choice.settings, inputs.best_of
        if task == "redraw":
            mask = partial(_mask_of, _given(inputs.mask))
            return edit_later(settings, canvas.read, mask, best_of=best_of)
        if task == "outpaint":
            margins = Margins(**inputs.margins)
            return outpaint_later(settings, canvas.read, margins, best_of=best_of)
        if task == "vary":
            num_scales = self.info.schedule.num_scales
            return vary_later(settings, canvas.read, inputs.keep_scales, 1, num_scales)
        raise ValueError(f"there is no task named {task!r:.40}")

    def _finish(
        self, request: LateRequest, choice: Choice, progress: JobProgress, seconds: float
    ) -> Moment:
        """Save the result, and the picture before it at the same size."""
        info, folder, seed = self.info, self.files.new_folder(), request.seeds[0]
        result = progress.frames[-1][0]
        words = drawn_words(info.labels, progress.wishes[0])
        before = folder / "before.png"
        with self.turn(is_owed=True):
            path = save_pictures(info, progress, folder, choice.with_recipe)[0]
            write_png(before, request.original(result.size), None)
        return Moment(
            picture=str(path),
            status=f"Done in {seconds:.2f} s, seed {seed}: {words or 'what fits the rest'}. "
            "Press Use as input to go on from here",
            seed=seed,
            comparison=(str(before), str(path)),
            result=Canvas(path, result.size),
        )


def _opened(canvas: Canvas | None) -> Canvas:
    if canvas is None:
        raise ValueError("there is no picture yet: open one, drop one, or send one from Draw")
    return canvas


def _given(mask: object) -> object:
    if mask in ("", None):
        raise ValueError(EMPTY)
    return mask


def _painted(mask: object) -> np.ndarray:
    return read_runs(_given(mask))


def _mask_of(mask: object, image: Image.Image) -> np.ndarray:
    return resize_mask(read_runs(mask), image.size)
