"""The tab Compare: a sheet of pictures, one setting from row to row, another one across."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.draw_tab import DrawTab
from var_core.web.events import DRAWING, LATEST, QUICK, Updates, Values, moment_updates
from var_core.web.feed import plan_line
from var_core.web.orders import Order
from var_core.web.page import Page
from var_core.web.sheet_settings import Preset, Side, describe, first_values, presets, titled
from var_core.web.widgets import built_in_browser, sentence

TEMPLATES = ("sheet.html", "lightbox.html")
SCRIPTS = ("memory.js", "sheet.js")  # in this order, one text


class CompareTab:
    """Two settings with their values, and the sheet that is drawn of them.

    Args:
        page: the page that it belongs to.
        draw: the Draw tab; what it draws decides all that is not compared.
    """

    def __init__(self, page: Page, draw: DrawTab) -> None:
        self.page, self.draw, self.info = page, draw, page.engine.info
        first, *_ = self.presets = presets(self.info)
        with gr.Tab("Compare", id="compare"), gr.Column(elem_id="compare-column"):
            self.progress = gr.State(None, time_to_live=MAX_AGE_SECONDS)
            self.reached = gr.State(0, time_to_live=MAX_AGE_SECONDS)  # scales of the newest sheet
            with gr.Row(elem_id="compare-presets"):
                self.buttons = [gr.Button(one.words, size="sm", scale=0) for one in self.presets]
            with gr.Column(elem_id="sides"):
                self.rows = self._build_side("rows", "Rows", first.rows)
                self.columns = self._build_side("columns", "Columns", first.columns)
            with gr.Row(elem_id="compare-actions"):
                self.start = gr.Button(
                    "Draw the sheet", variant="primary", elem_id="compare-draw", scale=0
                )
                self.stop = gr.Button("Stop", variant="stop", elem_id="compare-stop", scale=0)
                words, axes = describe(self.info, first.rows, first.columns)
                self.status = sentence(words, elem_id="compare-status")
            self.view = built_in_browser(self.info, TEMPLATES, SCRIPTS, "sheet", plan_line(axes))
        self.sides: list[Component] = [*self.rows, *self.columns]
        self.parts: dict[str, Component] = {
            "status": self.status,
            "seed": draw.controls.inputs["seed"],
            "stage": self.view,
            "progress": self.progress,
            "reached": self.reached,
        }
        self._connect_sides()
        self._connect_drawing()

    def _build_side(self, name: str, label: str, side: Side) -> tuple[gr.Dropdown, gr.Textbox]:
        with gr.Row(elem_classes="side-of-sheet"):
            setting = gr.Dropdown(
                titled(self.info), value=side[0], label=label, elem_id=name, min_width=120, scale=1
            )
            values = gr.Textbox(
                side[1],
                label="Values",
                placeholder="with commas between, or one a line",
                lines=2,  # else Enter would not begin a new one
                max_lines=8,
                elem_id=f"{name}-values",
                min_width=160,
                scale=2,
            )
        return setting, values

    def _connect_sides(self) -> None:
        shown = [*self.sides, self.status, self.view]
        for button, preset in zip(self.buttons, self.presets, strict=True):
            button.click(self._setting(preset), None, shown, **QUICK)
        for setting, text in (self.rows, self.columns):
            setting.input(self._beginning(setting, text), {*self.sides}, shown, **LATEST)
            text.input(self.describe, {*self.sides}, [self.status, self.view], **LATEST)

    def _connect_drawing(self) -> None:
        given = {*self.draw.given, self.draw.stage.selected, *self.sides}
        shown: list[Component] = [*self.parts.values()]
        opened = list(dict.fromkeys([*shown, *self.draw.controls.shown, *self.sides]))
        events: Any = self.view  # its events are those that the script triggers
        running = [
            self.start.click(
                self.draw_sheet, given, shown, show_progress_on=self.status, **DRAWING
            ),
            events.open_link(self.open_link, None, opened, show_progress_on=self.status, **DRAWING),
        ]
        self.stop.click(None, None, None, cancels=running).then(  # after the last preview
            self.stopped, {self.progress, self.reached}, shown, **QUICK
        )

    def _setting(self, preset: Preset) -> Any:
        """A handler that takes the settings of a preset."""

        def take() -> Updates:
            shown = self._show_sides((preset.rows, preset.columns))
            return {**shown, **self.describe(shown)}

        return take

    def _beginning(self, setting: gr.Dropdown, text: gr.Textbox) -> Any:
        """A handler that gives a newly chosen setting values to begin with."""

        def begin(values: Values) -> Updates:
            first = first_values(self.info, values[setting])
            return {text: first, **self.describe({**values, text: first})}

        return begin

    def describe(self, values: Values) -> Updates:
        """Say what would be drawn."""
        words, axes = describe(self.info, *self._sides_of(values))
        return {self.status: words, self.view: plan_line(axes)}

    def draw_sheet(self, values: Values) -> Iterator[Updates]:
        """Draw the sheet of two settings."""
        inputs = replace(
            self.draw.inputs(values),
            sides=self._sides_of(values),
            place=values[self.draw.stage.selected],
        )
        yield from self._stream(self.draw.handlers.order("sheet", inputs))

    def open_link(self, event: gr.EventData) -> Iterator[Updates]:
        """Draw the sheet that a link names, with its settings in the widgets."""
        order, wrong = self.draw.read_link(event)
        settings = self.draw.controls.updates(order.values, keep_seed=True)
        if wrong:
            yield {**settings, self.status: wrong}
            return
        if not order.sides:
            raise ValueError("that link names no sheet")
        yield {**settings, **self._show_sides(order.sides)}
        yield from self._stream(order)

    def stopped(self, values: Values) -> Updates:
        """Show what was drawn before Stop was pressed."""
        progress = values[self.progress] if values[self.reached] else None
        return moment_updates(self.draw.handlers.stopped(progress), self.parts)

    def _stream(self, order: Order) -> Iterator[Updates]:
        for moment in self.draw.handlers.stream(order):
            yield moment_updates(moment, self.parts)

    def _sides_of(self, values: Values) -> tuple[Side, Side]:
        rows, columns = (
            (str(values[setting]), str(values[text])) for setting, text in (self.rows, self.columns)
        )
        return rows, columns

    def _show_sides(self, sides: tuple[Side, ...]) -> Updates:
        """Show the settings of both sides, and their values; those that are missing stay."""
        parts = [part for side in sides for part in side]
        return dict(zip(self.sides, parts, strict=False))
