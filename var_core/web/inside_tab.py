"""The tab Look inside: the tokens of a picture, and what the model thinks of each."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.progress import JobProgress, Request
from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.assets import read_asset
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_mode import EditMode
from var_core.web.events import DRAWING, LATEST, SPOKEN, EventOptions, Updates, Values, told
from var_core.web.inside_handlers import InsideHandlers, View
from var_core.web.page import Page
from var_core.web.widgets import deleting, sentence

ASKED: EventOptions = {**SPOKEN, "trigger_mode": "multiple"}  # see TOLD
HINT = (
    "Open any picture, or press Look inside at a drawing: its tokens scale by scale, how sure the "
    "model was of each, and where it looked"
)


class InsideTab:
    """A picture scale by scale; the browser part is `assets/inside.js`.

    Args:
        page: the page that it belongs to.
        draw: the Draw tab; it sends pictures here, and draws on from a token.
        edit: the editing in that tab, which keeps what its pictures have become.
    """

    def __init__(self, page: Page, draw: DrawTab, edit: EditMode) -> None:
        self.page, self.draw, self.versions = page, draw, edit.board.versions
        self.handlers = InsideHandlers(page.engine, page.client)
        with gr.Tab("Look inside", id="inside") as self.tab:
            self.view = gr.State(None, time_to_live=MAX_AGE_SECONDS)
            self.beside = gr.State(None, time_to_live=MAX_AGE_SECONDS)  # what was drawn meanwhile
            with gr.Row(elem_id="inside-row"):
                self.source = gr.UploadButton(
                    "Open a picture", file_types=["image"], elem_id="source", size="sm", scale=0
                )
                self.report = sentence(HINT, elem_id="report")
            self.inside = gr.HTML(
                "",
                html_template=read_asset("inside.html"),
                js_on_load=read_asset("inside.js"),
                elem_id="inside",
                patches="",
            )
        self.shown: list[Component] = [self.view, self.beside, self.inside, self.report]
        self._connect()

    def _connect(self) -> None:
        stage, draw = self.draw.stage, self.draw
        given = {self.source, stage.progress}
        self.source.upload(self.open, given, self.shown, **SPOKEN)
        sent = [self.page.tabs, *self.shown]
        drawn = {stage.progress, self.versions}
        stage.view.look_inside(self.take_drawn, drawn, sent, **SPOKEN)
        looked_at: list[Component] = [self.beside, stage.progress, stage.selected]
        self.tab.select(self.take_new, {*looked_at}, self.shown, **SPOKEN)
        events: Any = self.inside  # its events are those that the script triggers
        events.ask(self.ask, {self.view}, [self.inside], **ASKED)
        running = events.draw_on(
            self.draw_on,
            {self.view, *draw.given},
            [self.page.tabs, *draw.shown],
            show_progress_on=stage.status,
            **DRAWING,
        )
        draw.controls.stop.click(None, None, None, cancels=[running], **LATEST)

    def open(self, values: Values) -> Updates:
        """Look into an uploaded picture, which is not kept."""
        with deleting(values[self.source]) as path:
            return self._updates(self.handlers.open(path), values[self.draw.stage.progress])

    def take_drawn(self, values: Values, event: gr.EventData) -> Updates:
        """Look into the chosen picture of the Draw tab as it is seen there, and show this tab."""
        progress, data = values[self.draw.stage.progress], told(event)
        place, number = data.get("place"), data.get("version")
        if number is None:
            view = self.handlers.look(progress, place)
        else:
            path = values[self.versions].at(number).canvas.path
            view = self.handlers.look_edited(path, progress, place)
        shown = self._updates(view, progress)
        return {self.page.tabs: gr.Tabs(selected="inside"), **shown}

    def take_new(self, values: Values) -> Updates:
        """Look into what has been drawn since the tab showed something, if anything has."""
        stage = self.draw.stage
        progress: JobProgress | None = values[stage.progress]
        if progress is None or is_of(progress, values[self.beside]):
            return gr.skip()
        return self._updates(self.handlers.look(progress, values[stage.selected]), progress)

    def ask(self, values: Values, event: gr.EventData) -> Updates:
        """Show what other codes would look like at a place."""
        scale, row, column, _ = place_of(event)
        turn = told(event).get("turn", 0)
        patches = self.handlers.patches(values[self.view], scale, row, column, turn)
        return {self.inside: gr.update(patches=patches)}

    def draw_on(self, values: Values, event: gr.EventData) -> Iterator[Updates]:
        """Keep the scales up to a token, one of its alternatives in its place; draw the rest."""
        view: View | None = values[self.view]
        progress, scale = self.handlers.exchanged(view, *place_of(event))
        changes = self.handlers.values_of(view)
        steps = self.draw.draw_rest(values, progress, scale, changes)
        yield {self.page.tabs: gr.Tabs(selected="draw")}
        yield from steps

    def _updates(self, view: View, progress: JobProgress | None) -> Updates:
        return {
            self.view: view,
            self.beside: None if progress is None else (progress.request, progress.number),
            self.inside: gr.update(value=view.content, patches=""),
            self.report: view.report,
        }


def is_of(progress: JobProgress, beside: tuple[Request, int] | None) -> bool:
    """Whether a drawing is the one that was there, with as many scales."""
    return beside is not None and progress.request is beside[0] and progress.number == beside[1]


def place_of(event: gr.EventData) -> tuple[object, object, object, object]:
    """Scale, row, column and token of an event; None where it does not tell them."""
    data = told(event)
    return data.get("scale"), data.get("row"), data.get("column"), data.get("token")
