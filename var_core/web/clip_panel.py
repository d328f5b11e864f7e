"""Below the stage: a picture of it set in motion, on servers with a model of clips."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from var_core.serving.engine import Engine
from var_core.web.clip_handlers import ClipHandlers
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_mode import EditMode
from var_core.web.events import DRAWING, QUICK, Updates, Values, moment_updates, told
from var_core.web.page import Page
from var_core.web.widgets import built_in_browser, sentence

STOPPED = "Stopped: the clip stays as far as it has come"


class ClipPanel:
    """A clip as it forms; the browser part is `assets/clip.js`.

    Args:
        page: the page that it belongs to.
        draw: the Draw tab, whose pictures are set in motion.
        edit: the editing in that tab, which keeps what its pictures have become.
        animator: engine of the server's model of clips.

    Attributes:
        view: what the browser shows; its events are `move`, which draws, and `halt`.
        status: a sentence about the clip.
    """

    def __init__(self, page: Page, draw: DrawTab, edit: EditMode, animator: Engine) -> None:
        self.draw, self.versions = draw, edit.board.versions
        self.handlers = ClipHandlers(animator, page.folder, page.client)
        with draw.motion:
            files = ("clip.html",), ("clip.js",), "clip"
            self.view: Any = built_in_browser(page.engine.info, *files, facts=self.handlers.facts())
            self.status = sentence("", elem_id="clip-status")
        given = {draw.stage.progress, self.versions}
        shown = [self.view, self.status]
        running = self.view.move(
            self.animate, given, shown, show_progress_on=self.status, **DRAWING
        )
        self.view.halt(None, None, None, cancels=[running]).then(
            lambda: STOPPED, None, [self.status], **QUICK
        )

    def animate(self, values: Values, event: gr.EventData) -> Iterator[Updates]:
        """Draw a clip that begins with a picture of the stage as it is seen there.

        Raises:
            ValueError: if there is no such picture, or a value is out of range.
        """
        wanted = told(event)
        request = self.handlers.request(self._picture(values, wanted), wanted)
        parts = {"status": self.status, "stage": self.view}
        for moment in self.handlers.stream(request):
            yield moment_updates(moment, parts)

    def _picture(self, values: Values, wanted: Mapping[str, object]) -> bytes:
        """The picture file of a place of the stage, or that of its edited version."""
        number = wanted.get("version")
        if number is not None:
            return values[self.versions].at(number).canvas.path.read_bytes()
        progress = values[self.draw.stage.progress]
        path = self.draw.handlers.frame_file(progress, wanted.get("scale"), wanted.get("place"))
        return Path(path).read_bytes()
