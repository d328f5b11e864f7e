"""What the buttons of an edit do, apart from the widgets."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from var_core.editing import Margins, read_mask
from var_core.editing.masks import EMPTY
from var_core.images import read_image
from var_core.jobs.late_request import LateRequest, edit_later, outpaint_later, vary_later
from var_core.jobs.mask_codec import read_runs, resize_mask, write_runs
from var_core.jobs.output_files import save_pictures
from var_core.jobs.progress import JobProgress
from var_core.model_info import ModelInfo
from var_core.web.canvas import Canvas, write_view
from var_core.web.controls import Choice, Controls, drawn_words
from var_core.web.edit_versions import Edit, Version
from var_core.web.picture_files import PictureFiles
from var_core.web.progress import Moment, Plan

SIDES = ("left", "top", "right", "bottom")


def _no_turn(*, is_owed: bool = False) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class EditInputs:
    """What the page holds when an edit begins.

    Attributes:
        canvas: the picture.
        edit: what is asked of it.
        values: values of the controls.
        parent: number of the picture's version.
        keep_seed: whether the seed stays as it is.
        best_of: number of candidates of the coarse scales.
    """

    canvas: Canvas
    edit: Edit
    values: Mapping[str, object]
    parent: int = 0
    keep_seed: bool = True
    best_of: int = 1


class EditHandlers:
    """What the buttons of an edit open, change and plan.

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

    def open(self, path: str, words: str) -> Version:
        """A picture to edit, as the first version of what becomes of it.

        Args:
            path: path of a PNG, JPEG or WebP file.
            words: what it is, for people.

        Raises:
            ValueError: if it is no such file, or too large.
            OSError: if it cannot be stored.
        """
        with self.turn():
            image = read_image(path)
            canvas = Canvas(Path(self.files.write(image)), image.size)
            canvas.write_copies(image)
        return Version(canvas, f"{words}, {image.width}x{image.height} pixels")

    def mask_from_file(self, canvas: Canvas, path: str) -> str:
        """Run lengths of a mask file: what is lighter than half grey is redrawn.

        Raises:
            ValueError: if the file does not fit the picture.
        """
        with self.turn():
            return write_runs(resize_mask(read_mask(path), canvas.shown))

    def plan(self, inputs: EditInputs) -> Plan:
        """Plan an edit.

        Raises:
            ValueError: if a value is out of range.
        """
        choice = self.controls.read(self.controls.with_seed(inputs.values, inputs.keep_seed))
        request = self._request(inputs, choice)
        return Plan(request, partial(self._finish, inputs, request, choice))

    def _request(self, inputs: EditInputs, choice: Choice) -> LateRequest:
        edit, settings, best_of = inputs.edit, choice.settings, inputs.best_of
        picture = inputs.canvas.read
        if edit.task == "redraw":
            return edit_later(
                settings, picture, partial(_mask_of, _given(edit.mask)), best_of=best_of
            )
        if edit.task == "outpaint":
            margins = Margins(**{side: edit.margins.get(side, 0) for side in SIDES})  # checks them
            return outpaint_later(settings, picture, margins, best_of=best_of)
        if edit.task == "vary":
            num_scales = self.info.schedule.num_scales
            return vary_later(settings, picture, edit.keep_scales, 1, num_scales)
        raise ValueError(f"there is no task named {edit.task!r:.40}")

    def _finish(
        self,
        inputs: EditInputs,
        request: LateRequest,
        choice: Choice,
        progress: JobProgress,
        seconds: float,
    ) -> Moment:
        """Save the result, and the picture before it at the same size."""
        info, folder, seed = self.info, self.files.new_folder(), request.seeds[0]
        result = progress.frames[-1][0]
        words = drawn_words(info.labels, progress.wishes[0]) or "what fits the rest"
        before = folder / "before.png"
        with self.turn(is_owed=True):
            path = save_pictures(info, progress, folder, choice.with_recipe)[0]
            write_view(before, request.original(result.size))
            canvas = Canvas(path, result.size)
            canvas.write_copies(result)
        return Moment(
            status=f"Done in {seconds:.2f} s, seed {seed}: {words}. Hold Compare to see it before",
            seed=seed,
            version=Version(canvas, f"{words}, seed {seed}", 0, inputs.parent, inputs.edit, before),
        )


def _given(mask: object) -> object:
    if mask in ("", None):
        raise ValueError(EMPTY)
    return mask


def _mask_of(mask: object, image: Image.Image) -> np.ndarray:
    return resize_mask(read_runs(mask), image.size)
