"""The left side of the Edit tab: the picture to edit, and the mask that is painted on it."""

from functools import partial
from typing import Any

import gradio as gr

from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.assets import read_asset
from var_core.web.canvas import Canvas
from var_core.web.edit_handlers import EditHandlers
from var_core.web.events import SPOKEN, Updates, Values
from var_core.web.widgets import deleting


class EditBoard:
    """The picture to edit and its mask; the browser part is `assets/painter.js`.

    Args:
        handlers: opens pictures and masks.

    Attributes:
        canvas: the picture.
        painter: the mask as run lengths, "" if nothing is painted.
        open: button that takes a picture from the visitor.
    """

    def __init__(self, handlers: EditHandlers) -> None:
        self.handlers = handlers
        self.canvas = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        # goes with every update: an update before the tab is shown replaces all properties
        info = handlers.info
        self.grid: dict[str, Any] = {"model": info.image_size, "cells": info.schedule.final_side}
        self.painter = gr.HTML(
            "",
            html_template=read_asset("painter.html"),
            js_on_load=read_asset("painter.js"),
            elem_id="painter",
            picture="",
            shown=[1, 1],
            full=[1, 1],
            **self.grid,
        )
        with gr.Row(elem_id="edit-files"):
            self.open = gr.UploadButton(
                "Open a picture", file_types=["image"], elem_id="open", size="sm"
            )
            self.load_mask = gr.UploadButton(
                "Load a mask", file_types=["image"], elem_id="load-mask", size="sm"
            )
            grow = gr.Button("Grow", size="sm", elem_id="grow", min_width=60)
            shrink = gr.Button("Shrink", size="sm", elem_id="shrink", min_width=60)
        self.load_mask.upload(
            self.open_mask, {self.canvas, self.load_mask}, [self.painter], **SPOKEN
        )
        for button, pixels in ((grow, 1), (shrink, -1)):
            change = partial(handlers.grow, pixels=pixels)
            button.click(change, self.painter, self.painter, **SPOKEN)

    def open_mask(self, values: Values) -> Updates:
        """Show an uploaded mask."""
        with deleting(values[self.load_mask]) as path:
            return {self.painter: self.handlers.mask_from_file(values[self.canvas], path)}

    def show(self, canvas: Canvas, mask: str = "") -> Updates:
        """Show a picture under a mask.

        Raises:
            BusyError: if there is no room.
            ValueError: if the file of the picture has been deleted.
        """
        properties = {"shown": canvas.shown, "full": canvas.size, **self.grid}
        with self.handlers.turn():
            painter = gr.update(value=mask, picture=canvas.url(), **properties)
        return {self.canvas: canvas, self.painter: painter}
