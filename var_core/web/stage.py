"""The middle of the Draw tab: the picture, its scales, and what can be done with them."""

import gradio as gr
from gradio.components import Component

from var_core.jobs.progress import JobProgress
from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.draw_handlers import DrawHandlers
from var_core.web.events import LATEST, QUICK, Updates, Values, moment_updates
from var_core.web.widgets import (
    picked_scale,
    result_image,
    save_on_click,
    scale_strip,
    scripted_html,
    sentence,
)


class Stage:
    """The last drawing, at the scale that is looked at.

    Args:
        handlers: makes the pictures and files that are shown.

    Attributes:
        progress: the last drawing.
        scale: the scale that is looked at.
        selected: place of the picture that is looked at.
        looked_at: all three, as inputs of an event.
        tiles: several pictures, each to be looked at and edited.
        shown: widgets under the names of the parts of a moment.
        status: a sentence about the drawing.
        download: hidden; the browser saves the file that it holds.
        redraw: button that draws everything after the scale again.
        send_edit: sends the picture to the Edit tab.
        send_look: sends the picture to the tab Look inside.
    """

    def __init__(self, handlers: DrawHandlers) -> None:
        self.handlers = handlers
        self.progress = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        self.selected = gr.State(0, time_to_live=MAX_AGE_SECONDS)
        self.picture = result_image("stage", "Picture", "The picture at the chosen scale", 400)
        self.status = sentence("Ready: choose what to draw, or leave it open", elem_id="status")
        self.tiles = scripted_html("", "tiles.js", "tiles")
        self.strip = scale_strip(handlers.sides, "strip")
        total = len(handlers.sides)
        with gr.Row(elem_id="scale-row"):
            self.scale = gr.Slider(
                1,
                total,
                total,
                step=1,
                label="Look at scale",
                info="the picture as it is after so many scales",
                elem_id="scale",
            )
            self.redraw = gr.Button(
                "Redraw from an earlier scale", interactive=False, elem_id="redraw", min_width=160
            )
        with gr.Row(elem_id="picture-actions"):
            animate = gr.Button("Save animation", size="sm", elem_id="animate")
            self.send_edit = gr.Button("Send to Edit", size="sm", elem_id="send-edit")
            self.send_look = gr.Button("Look inside", size="sm", elem_id="use")
        self.download = gr.DownloadButton(elem_id="download", visible="hidden")
        self.looked_at: list[Component] = [self.progress, self.scale, self.selected]
        self.shown: dict[str, Component] = {
            "picture": self.picture,
            "strip": self.strip,
            "status": self.status,
            "scale": self.scale,
            "progress": self.progress,
            "tiles": self.tiles,
            "selected": self.selected,
        }
        script = f"scale => varStudio.redraw(scale, {total})"
        self.scale.change(None, self.scale, self.redraw, js=script)
        self.scale.input(self.scrub, {*self.looked_at}, [self.picture], **LATEST)
        self.strip.pick(picked_scale, None, self.scale, **LATEST).then(
            self.scrub, {*self.looked_at}, [self.picture], **QUICK
        )
        self.tiles.look_at(
            self.select, {*self.looked_at}, [self.picture, self.strip, self.selected], **LATEST
        )
        save_on_click(animate, handlers.animate, [self.progress, self.selected], self.download)

    def scrub(self, values: Values) -> Updates:
        """Show the picture at the chosen scale."""
        progress: JobProgress | None = values[self.progress]
        if progress is None:
            return gr.skip()
        place = values[self.selected]
        return {self.picture: self.handlers.scrub(progress, values[self.scale], place)}

    def select(self, values: Values, event: gr.EventData) -> Updates:
        """Look at the picture of a tile."""
        progress: JobProgress | None = values[self.progress]
        if progress is None:
            return gr.skip()
        scale = min(values[self.scale], len(progress.frames))
        return moment_updates(self.handlers.select(progress, event.place, scale), self.shown)
