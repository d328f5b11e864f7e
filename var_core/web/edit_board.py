"""The canvas of an edit: the picture, the mask that is painted on it, and its versions."""

from dataclasses import replace
from typing import Any

import gradio as gr

from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.assets import read_asset, read_script
from var_core.web.edit_handlers import EditHandlers
from var_core.web.edit_versions import Version, Versions
from var_core.web.events import SPOKEN, Updates, Values, told
from var_core.web.picture_files import file_url
from var_core.web.widgets import deleting

WAITING = "wait"  # instead of a picture that forms


class EditBoard:
    """The picture to edit and its mask; the browser part is `assets/painter/`.

    Args:
        handlers: opens pictures and masks.

    Attributes:
        versions: the picture and what it was before.
        painter: the mask as run lengths, "" if nothing is painted. Its events are `outpaint` and
            `go`, to another version.
        open: button that takes a picture from the visitor.
    """

    def __init__(self, handlers: EditHandlers) -> None:
        self.handlers = handlers
        self.versions = gr.State(Versions(), time_to_live=MAX_AGE_SECONDS)
        self.painter = gr.HTML(
            "",
            html_template=read_asset("painter/painter.html"),
            js_on_load=read_script("painter/painter.js"),
            elem_id="painter",
            scene=None,
            forming="",
        )
        self.painter.go(
            self.go, {self.versions, self.painter}, [self.versions, self.painter], **SPOKEN
        )

    def build_files(self) -> None:
        """Add the buttons that take files."""
        with gr.Row(elem_id="edit-files"):
            self.open = gr.UploadButton(
                "Open a picture", file_types=["image"], elem_id="open", size="sm"
            )
            self.load_mask = gr.UploadButton(
                "Load a mask", file_types=["image"], elem_id="load-mask", size="sm"
            )
        self.load_mask.upload(
            self.open_mask, {self.versions, self.load_mask}, [self.painter], **SPOKEN
        )

    def open_mask(self, values: Values) -> Updates:
        """Show an uploaded mask."""
        with deleting(values[self.load_mask]) as path:
            canvas = values[self.versions].here.canvas
            return {self.painter: self.handlers.mask_from_file(canvas, path)}

    def go(self, values: Values, event: gr.EventData) -> Updates:
        """Look at another version; what is painted on this one comes back with it."""
        versions: Versions = values[self.versions]
        versions = versions.painted(versions.current, values[self.painter])
        return self.show(versions.go(told(event).get("number")))

    def add(self, versions: Versions, version: Version) -> Updates:
        """Show a picture that was opened, in the place of the stage."""
        return self.show(versions.added(version), opens=True)

    def add_result(self, versions: Versions, version: Version) -> Updates:
        """Show the result of an edit; what is painted meanwhile is kept for the next one."""
        edit, parent = version.edit, version.parent
        assert edit is not None and parent is not None
        version = replace(version, source=versions.at(parent).source)
        is_new = parent == versions.current  # and not another try
        place = [edit.margins.get(side, 0) if is_new else 0 for side in ("left", "top")]
        return self.show(versions.added(version), mask=None, place=place)

    def show(self, versions: Versions, **changes: Any) -> Updates:
        """Show the version that is looked at, with the mask that was painted on it."""
        here = versions.here
        info, canvas = self.handlers.info, here.canvas
        scene = {
            "picture": file_url(canvas.view),
            "before": file_url(here.before) if here.before else "",
            "file": file_url(canvas.path),
            "name": canvas.path.name,
            "shown": canvas.shown,
            "full": canvas.size,
            "model": info.image_shape,
            "cells": info.schedule.final_shape,
            "mask": here.mask,
            "place": [0, 0],
            "versions": [_shown(one) for one in versions.all],
            "current": versions.current,
            "words": here.words,
            "source": here.source,
            "isEdited": here.edit is not None,
            "again": here.edit is not None and versions.undone is not None,
            "undo": versions.undone,
            "redo": versions.redone,
            **changes,
        }
        return {self.versions: versions, self.painter: gr.update(scene=scene, forming="")}


def _shown(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "url": file_url(version.canvas.thumbnail),
        "words": version.words,
        "starts": version.parent is None,
    }
