"""The Edit tab: redraw a painted area, add sides, or vary a picture."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.editing import EditOptions
from var_core.jobs.parsing import DEFAULT_SEED
from var_core.option_fields import option_named
from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_board import EditBoard
from var_core.web.edit_handlers import EditHandlers, EditInputs
from var_core.web.events import DRAWING, QUICK, SPOKEN, Updates, Values, moment_updates
from var_core.web.html import strip_html
from var_core.web.label_choices import ANY, LabelChoices
from var_core.web.option_widgets import option_widget
from var_core.web.page import Page
from var_core.web.progress import stream
from var_core.web.prompt_widgets import prompt_widgets
from var_core.web.widgets import deleting, follow_labels, label_picker, result_image, sentence

MAX_SIDE = 512  # pixels to add
STOPPED = "Stopped; the picture to edit is as it was"
TAKEN = "The result is now the picture to edit. Paint the area to change"
SIDES = ("left", "top", "right", "bottom")


class EditTab:
    """The picture and its mask at the left; what to draw, and the result, at the right.

    Guidance and the other options are those of the Draw tab.

    Args:
        page: the page that it belongs to.
        draw: the Draw tab, whose pictures can be sent here.
    """

    def __init__(self, page: Page, draw: DrawTab) -> None:
        self.page, self.draw, self.info = page, draw, page.engine.info
        self.handlers = EditHandlers(self.info, page.folder, page.turn)
        with gr.Tab("Edit", id="edit"), gr.Row(elem_id="edit-main"):
            with gr.Column(scale=3, min_width=320, elem_id="edit-picture"):
                self.board = EditBoard(self.handlers)
            with gr.Column(scale=3, min_width=320, elem_id="edit-controls"):
                self.prompts = prompt_widgets(self.handlers.controls, prefix="edit-")
                self._build_labels()
                self._build_result()
                with gr.Accordion("Add at the sides", open=False, elem_id="outpaint-box"):
                    self._build_sides()
                with gr.Accordion("Vary", open=False, elem_id="vary-box"):
                    self._build_variation()
                with gr.Accordion("How it is drawn", open=False, elem_id="edit-more"):
                    self._build_options()
        self.inputs: dict[str, Component] = {
            **draw.controls.inputs,
            **self.prompts,
            **self.labels,
            "seed": self.seed,
        }
        self.parts: dict[str, Component] = {
            "picture": self.stage,
            "strip": self.strip,
            "status": self.status,
            "seed": self.seed,
            "comparison": self.comparison,
            "result": self.result,
        }
        board = [self.board.canvas, self.board.painter]
        labels = [*self.prompts.values(), *self.labels.values()]
        self.opened: list[Component] = [*board, *self.parts.values(), *labels]
        self._connect_drawing()
        self._connect_pictures()

    def _build_labels(self) -> None:
        choices = LabelChoices(self.info.labels)
        with gr.Row(elem_id="edit-labels"):
            self.labels = {
                attribute.name: label_picker(
                    choices, attribute, elem_id=f"edit-{attribute.name}", min_width=120
                )
                for attribute in self.info.labels.attributes
            }
        follow_labels(choices, self.labels)
        with gr.Row():
            self.seed = gr.Number(
                DEFAULT_SEED, label="Seed", precision=0, elem_id="edit-seed", min_width=100
            )
            self.keep_seed = gr.Checkbox(
                False, label="Keep this seed", elem_id="edit-keep", min_width=130
            )
        self.seed.input(None, None, self.keep_seed, js="() => true", **QUICK)

    def _build_result(self) -> None:
        self.result = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        with gr.Row(elem_id="edit-actions"):
            self.redraw = gr.Button(
                "Redraw the painted area", variant="primary", elem_id="redraw-mask"
            )
            self.stop = gr.Button("Stop", variant="stop", elem_id="edit-stop")
        self.status = sentence(
            "Open a picture, paint what to change; with labels left at any, what is kept decides",
            elem_id="edit-status",
        )
        self.stage = result_image("edit-stage", "Result", "The edited picture", height=300)
        self.strip = gr.HTML(strip_html([], self.info.schedule.sides), elem_id="edit-strip")
        with gr.Row(elem_id="use-row"):
            self.use_result = gr.Button("Use as input", size="sm", elem_id="use-edited")
            self.keep_mask = gr.Checkbox(
                False, label="Keep the mask", elem_id="keep-mask", min_width=120
            )
        with gr.Accordion("Before and after", open=False, elem_id="compare-box"):
            self.comparison = gr.ImageSlider(
                label="Before and after",
                show_label=False,
                format="png",
                interactive=False,
                elem_id="compare",
                buttons=[],
            )

    def _build_sides(self) -> None:
        half = self.info.image_size // 2
        with gr.Row():
            self.sides = {
                side: gr.Slider(
                    0,
                    MAX_SIDE,
                    half if side == "right" else 0,
                    step=1,
                    label=f"{side.capitalize()} (pixels)",
                    elem_id=f"side-{side}",
                    min_width=130,
                )
                for side in SIDES
            }
        self.outpaint = gr.Button("Add", elem_id="outpaint")

    def _build_variation(self) -> None:
        total = self.info.schedule.num_scales
        self.keep_scales = gr.Slider(
            1,
            total - 1,
            (total + 1) // 2,
            step=1,
            label="Scales to keep",
            info="few keep colours and places only, many nearly everything",
            elem_id="keep-scales",
        )
        self.vary = gr.Button("Vary the picture", elem_id="vary")

    def _build_options(self) -> None:
        best_of = option_named(EditOptions, "best_of")
        self.best_of = option_widget(best_of, best_of.default)
        gr.Markdown("Guidance, Top-k and the rest are those of the Draw tab.")

    def _connect_drawing(self) -> None:
        given = [
            self.board.canvas,
            self.board.painter,
            self.keep_seed,
            self.keep_scales,
            self.best_of,
            *self.sides.values(),
            *self.inputs.values(),
        ]
        shown = [*self.parts.values()]
        buttons = {"redraw": self.redraw, "outpaint": self.outpaint, "vary": self.vary}
        running: list[dict[str, Any]] = [
            button.click(
                partial(self.edit, task), {*given}, shown, show_progress_on=self.status, **DRAWING
            )
            for task, button in buttons.items()
        ]
        self.stop.click(None, None, None, cancels=running).then(
            lambda: STOPPED, None, self.status, **QUICK
        )
        self.running = running

    def _connect_pictures(self) -> None:
        """Open pictures; what is drawn of the picture before ends."""
        board, stage = self.board, self.draw.stage
        sent = [self.page.tabs, *self.opened]
        for trigger in (board.open.upload, stage.view.edit_one):
            trigger(None, None, None, cancels=self.running)  # first, since opening takes a turn
        board.open.upload(self.open_upload, {board.open}, self.opened, **SPOKEN)
        stage.view.edit_one(self.open_drawn, {stage.progress}, sent, **SPOKEN)
        given = {self.result, board.painter, self.keep_mask}
        self.use_result.click(self.take_result, given, self.opened, **SPOKEN)

    def edit(self, task: str, values: Values) -> Iterator[Updates]:
        """Edit as a button says: "redraw", "outpaint" or "vary"."""
        inputs = EditInputs(
            canvas=values[self.board.canvas],
            mask=values[self.board.painter],
            values={name: values[widget] for name, widget in self.inputs.items()},
            keep_seed=values[self.keep_seed],
            margins={side: values[slider] for side, slider in self.sides.items()},
            keep_scales=values[self.keep_scales],
            best_of=values[self.best_of],
        )
        plan = self.handlers.plan(task, inputs)
        yield {self.result: None, self.comparison: None}  # of the run before
        for moment in stream(self.page.engine, plan, self.page.client()):
            yield moment_updates(moment, self.parts)

    def open_upload(self, values: Values) -> Updates:
        """Make an uploaded picture the one to edit."""
        with deleting(values[self.board.open]) as path:  # a copy without metadata is kept
            return self._opened(path)

    def open_drawn(self, values: Values, event: gr.EventData) -> Updates:
        """Make a picture of the Draw tab the one to edit, and show this tab."""
        progress = values[self.draw.stage.progress]
        path = self.draw.handlers.frame_file(progress, event.scale, event.place)
        opened = self._opened(path)
        return {self.page.tabs: gr.Tabs(selected="edit"), **opened}

    def _opened(self, path: str) -> Updates:
        canvas, sentence = self.handlers.open(path)
        return {**self.board.show(canvas), **self._fresh(), self.status: sentence}

    def _fresh(self) -> Updates:
        """Take away what belongs to the picture before: its result, its labels and its words."""
        return {
            self.stage: None,
            self.strip: strip_html([], self.info.schedule.sides),
            self.comparison: None,
            self.result: None,
            **dict.fromkeys(self.prompts.values(), ""),
            **dict.fromkeys(self.labels.values(), ANY),
        }

    def take_result(self, values: Values) -> Updates:
        """Make the result the picture to edit."""
        canvas = self.handlers.take_result(values[self.result])
        mask = values[self.board.painter] if values[self.keep_mask] else ""
        return {**self.board.show(canvas, mask), **self._fresh(), self.status: TAKEN}
