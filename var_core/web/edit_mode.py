"""Editing, in the place of the stage: redraw a painted area, add sides, or vary a picture."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import gradio as gr
from gradio.components import Component

from var_core.editing import EditOptions
from var_core.jobs.data_url import jpeg_url
from var_core.option_fields import option_named
from var_core.ranges import check_int
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_board import WAITING, EditBoard
from var_core.web.edit_handlers import EditHandlers, EditInputs
from var_core.web.edit_versions import Edit, Versions
from var_core.web.events import DRAWING, QUICK, SPOKEN, Updates, Values, moment_updates, told
from var_core.web.feed import MAX_NUMBER
from var_core.web.option_widgets import option_widget
from var_core.web.page import Page
from var_core.web.progress import Moment, stream
from var_core.web.widgets import deleting, sentence

STOPPED = "Stopped; the picture is as it was, and what you painted is still there"
START = "Open a picture, paint what to change; with nothing asked for, what is kept decides"
PAINT = "Paint the area to change, and say in the box above what shall appear"


class EditMode:
    """The picture at the left, where its mask is painted and its results form; the rest beside it.

    It stands in the Draw tab, where the browser shows either this or the stage. What shall appear,
    and how it is drawn, is chosen above all tabs.

    Args:
        page: the page that it belongs to.
        draw: the Draw tab, whose pictures are edited here; it shows the results in their tiles.
    """

    def __init__(self, page: Page, draw: DrawTab) -> None:
        self.page, self.draw, self.info = page, draw, page.engine.info
        self.handlers = EditHandlers(self.info, page.folder, page.turn)
        with draw.canvas:
            with gr.Column(scale=5, min_width=320, elem_id="edit-picture"):
                self.status = sentence(START, elem_id="edit-status")
                self.board = EditBoard(self.handlers)
                self.board.build_files()
            with gr.Column(scale=2, min_width=240, elem_id="edit-controls"):
                self._build_actions()
                self._build_variation()
                with gr.Accordion("How it is drawn", open=False, elem_id="edit-more"):
                    self._build_options()
        ask = page.ask
        self.inputs: list[Component] = [ask.box.widget, *ask.inputs.values()]
        self.wish: dict[Component, str] = {ask.box.widget: ask.box.pack(ask.controls.defaults())}
        if "negative_prompt" in ask.inputs:
            self.wish[ask.inputs["negative_prompt"]] = ""
        self.opened: list[Component] = [
            self.board.versions,
            self.board.painter,
            self.status,
            *self.wish,
        ]
        self._connect_drawing()
        self._connect_pictures()

    def _build_actions(self) -> None:
        with gr.Row(elem_id="edit-actions"):
            self.redraw = gr.Button("Redraw", variant="primary", elem_id="redraw-mask")
            self.stop = gr.Button("Stop", variant="stop", elem_id="edit-stop")
            self.again = gr.Button("Try again", elem_id="try-again")
            done = gr.Button("Done", elem_id="edit-done")
        done.click(None, None, None, js="() => varStudio.editor.leave()", **QUICK)

    def _build_variation(self) -> None:
        total = self.info.schedule.num_scales
        self.keep_scales = gr.Slider(
            1,
            total - 1,
            (total + 1) // 2,
            step=1,
            label="Keep scales",
            info="few keep colours and places only, many nearly everything",
            elem_id="keep-scales",
        )
        self.vary = gr.Button("Vary the picture", size="sm", elem_id="vary")

    def _build_options(self) -> None:
        best_of = option_named(EditOptions, "best_of")
        self.best_of = option_widget(best_of, best_of.default)

    def _connect_drawing(self) -> None:
        board = self.board
        given = [
            board.versions,
            board.painter,
            self.page.ask.keep_seed,
            self.keep_scales,
            self.best_of,
            *self.inputs,
        ]
        self.shown: list[Component] = [
            board.versions,
            board.painter,
            self.status,
            self.page.ask.inputs["seed"],
        ]
        triggers = {
            "redraw": self.redraw.click,
            "again": self.again.click,
            "vary": self.vary.click,
            "outpaint": board.painter.outpaint,
        }
        self.running: list[dict[str, Any]] = [
            trigger(
                self._editing(task),
                {*given},
                self.shown,
                show_progress_on=self.status,
                **DRAWING,
            )
            for task, trigger in triggers.items()
        ]
        self.stop.click(None, None, None, cancels=self.running).then(
            lambda: (STOPPED, gr.update(forming="")), None, [self.status, board.painter], **QUICK
        )

    def _connect_pictures(self) -> None:
        """Open pictures; what is drawn of the picture before ends."""
        board, stage = self.board, self.draw.stage
        for trigger in (board.open.upload, stage.view.edit_one):
            trigger(None, None, None, cancels=self.running)  # first, since opening takes a turn
        here: set[Component] = {board.versions, board.painter}
        board.open.upload(self.open_upload, {*here, board.open}, self.opened, **SPOKEN)
        stage.view.edit_one(self.open_drawn, {*here, stage.progress}, self.opened, **SPOKEN)

    def _editing(self, task: str) -> Callable[[Values, gr.EventData], Iterator[Updates]]:
        """The handler of a button; gradio finds no event in a `partial`."""

        def handler(values: Values, event: gr.EventData) -> Iterator[Updates]:
            yield from self.edit(task, values, told(event))

        return handler

    def edit(self, task: str, values: Values, data: object = None) -> Iterator[Updates]:
        """Edit as a button says.

        Args:
            task: "redraw", "outpaint", "vary", or "again" for what was done last.
            values: values of the widgets.
            data: pixels to add at each side, for "outpaint".

        Raises:
            ValueError: if a value is missing or out of range.
        """
        versions: Versions = values[self.board.versions]
        here = versions.here
        versions = versions.painted(here.number, values[self.board.painter])
        edit, parent = self._asked(task, values, data), here
        if task == "again":
            if here.edit is None or versions.undone is None:
                raise ValueError("there is nothing to try again: redraw something first")
            edit, parent = here.edit, versions.at(versions.undone)
        inputs = EditInputs(
            canvas=parent.canvas,
            edit=edit,
            values=self.page.ask.values(values),
            parent=parent.number,
            keep_seed=values[self.page.ask.keep_seed],
            best_of=values[self.best_of],
        )
        plan = self.handlers.plan(inputs)
        yield {self.board.versions: versions, self.board.painter: gr.update(forming=WAITING)}
        try:
            for moment in stream(self.page.engine, plan, self.page.client()):
                yield self._updates(moment, versions)
        except Exception:
            yield {self.board.painter: gr.update(forming="")}
            raise

    def _asked(self, task: str, values: Values, data: object) -> Edit:
        return Edit(
            task=task,
            mask=values[self.board.painter],
            margins=data if task == "outpaint" and isinstance(data, dict) else {},
            keep_scales=values[self.keep_scales],
        )

    def _updates(self, moment: Moment, versions: Versions) -> Updates:
        """Show a moment of an edit in the place of the picture."""
        parts = {"status": self.status, "seed": self.page.ask.inputs["seed"]}
        updates = moment_updates(moment, parts)
        if moment.version is not None:
            updates |= self.board.add_result(versions, moment.version)
        elif moment.picture is not None:
            updates[self.board.painter] = gr.update(forming=jpeg_url(moment.picture))
        return updates

    def open_upload(self, values: Values) -> Updates:
        """Make an uploaded picture the one to edit."""
        with deleting(values[self.board.open]) as path:  # a copy without metadata is kept
            return self._opened(values, path, "Opened")

    def open_drawn(self, values: Values, event: gr.EventData) -> Updates:
        """Make a picture of the stage the one to edit."""
        progress, data = values[self.draw.stage.progress], told(event)
        place = data.get("place")
        path = self.draw.handlers.frame_file(progress, data.get("scale"), place)
        source = (check_int("run", data.get("run"), 1, MAX_NUMBER), cast(int, place))
        return self._opened(values, path, "Drawn", source)

    def _opened(
        self, values: Values, path: str, words: str, source: tuple[int, int] | None = None
    ) -> Updates:
        """Show a picture, without the labels and words that were meant for the one before.

        What is painted on that one is kept; while it is being edited, that is what was sent.
        """
        versions: Versions = values[self.board.versions]
        if painted := values[self.board.painter]:
            versions = versions.painted(versions.current, painted)
        version = replace(self.handlers.open(path, words), source=source)
        return {
            **self.board.add(versions, version),
            self.status: f"{version.words}. {PAINT}",
            **self.wish,
        }
