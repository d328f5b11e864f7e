"""The middle of the Draw tab: the pictures of a drawing, their scales, what can be done with them.

The browser shows all of it: `assets/stage.js` and the scripts beside it. What it is told grows line
by line, as `Feed` writes it.
"""

import gradio as gr

from var_core.jobs.progress import JobProgress
from var_core.ranges import check_int
from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.draw_handlers import DrawHandlers
from var_core.web.events import SPOKEN, TOLD, Updates, Values, told
from var_core.web.widgets import built_in_browser, sentence

TEMPLATES = ("stage.html", "lightbox.html")
SCRIPTS = ("memory.js", "tiles.js", "scrubber.js", "contact_sheet.js", "stage.js")  # in this order


class Stage:
    """The last drawing.

    Its actions are events of `view`, with the `place` of a picture and the `scale` that is looked
    at.

    Args:
        handlers: makes the pictures and files that are shown.

    Attributes:
        progress: the last drawing.
        selected: place of the picture that is looked at, from 0.
        reached: number of scales of the drawing that began last.
        view: what the browser shows.
        status: a sentence about the drawing.
        download: hidden; the browser saves the file that it holds.
    """

    def __init__(self, handlers: DrawHandlers) -> None:
        self.handlers = handlers
        self.progress = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        self.selected = gr.State(0, time_to_live=MAX_AGE_SECONDS)
        self.reached = gr.State(0, time_to_live=MAX_AGE_SECONDS)
        self.status = sentence("Ready: choose what to draw, or leave it open", elem_id="status")
        self.view = built_in_browser(handlers.engine.info, TEMPLATES, SCRIPTS, "stage")
        self.download = gr.DownloadButton(elem_id="download", visible="hidden")
        self.view.look_at(self.look_at, {self.progress}, [self.view], **TOLD)
        self.view.pick(self.pick, {self.progress}, [self.selected], **TOLD)
        self.view.animate(self.animate, {self.progress}, [self.download], **SPOKEN).success(
            None, None, None, js="() => varStudio.save()"
        )

    def look_at(self, values: Values, event: gr.EventData) -> Updates:
        """Show all scales of a picture, pixel for pixel."""
        progress: JobProgress | None = values[self.progress]
        if progress is None:
            return gr.skip()
        data = told(event)
        return {self.view: self.handlers.look_at(progress, data.get("place"), data.get("run"))}

    def pick(self, values: Values, event: gr.EventData) -> Updates:
        """Note which picture is looked at."""
        progress: JobProgress | None = values[self.progress]
        if progress is None:
            return gr.skip()
        place = told(event).get("place")
        return {self.selected: check_int("place", place, 0, len(progress.labels) - 1)}

    def animate(self, values: Values, event: gr.EventData) -> Updates:
        """Save how a picture formed."""
        place = told(event).get("place")
        return {self.download: self.handlers.animate(values[self.progress], place)}
