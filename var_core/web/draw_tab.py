"""The Draw tab: pictures that form scale by scale."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.progress import JobProgress
from var_core.ranges import check_int
from var_core.web.draw_handlers import DrawHandlers, DrawInputs
from var_core.web.events import DRAWING, QUICK, SPOKEN, Updates, Values, moment_updates, told
from var_core.web.orders import Order, read_order
from var_core.web.page import Page
from var_core.web.progress import Moment
from var_core.web.stage import Stage
from var_core.web.widgets import built_in_browser, deleting

HISTORY = ("zip.js", "history.js")


class DrawTab:
    """The pictures of a drawing and their scales, and what was drawn so far.

    Args:
        page: the page that it belongs to.

    Attributes:
        controls: what to draw, above all tabs.
        stage: the last drawing.
        canvas: empty row for what edits a picture.
        motion: empty column for what sets a picture in motion.
        drop: reads the settings of a PNG.
        shown: every widget that shows a part of a drawing.
        everything: these widgets, and those that hold the settings of a drawing.
        given: widgets that a drawing is made of.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.handlers = DrawHandlers(page.engine, page.folder, page.client)
        self.controls = page.ask
        with gr.Tab("Draw", id="draw"), gr.Column(elem_id="stage-column"):
            self.canvas = gr.Row(elem_id="edit-main")  # of an edit, in the place of the stage
            self.stage = Stage(self.handlers)
            self.motion = gr.Column(elem_id="clip-column")  # of a clip, below the stage
            built_in_browser(page.engine.info, ("history.html",), HISTORY, "history")
            with gr.Row(elem_id="exchange"):
                self.drop = gr.UploadButton(
                    "Settings from a PNG", file_types=[".png"], elem_id="drop", size="sm", scale=0
                )
        self.parts: dict[str, Component] = {
            "status": self.stage.status,
            "seed": self.controls.inputs["seed"],
            "stage": self.stage.view,
            "progress": self.stage.progress,
            "selected": self.stage.selected,
            "reached": self.stage.reached,
        }
        self.shown: list[Component] = [*self.parts.values()]
        self.everything = list(dict.fromkeys([*self.shown, *self.controls.shown]))
        self._connect_drawing()
        self._connect_settings()

    def _connect_drawing(self) -> None:
        controls, view = self.controls, self.stage.view
        self.given: list[Component] = [*controls.shown, self.stage.progress]
        run = partial(dict, show_progress_on=self.stage.status, **DRAWING)
        asked = {
            "pictures": controls.generate.click,
            "again": view.again,
            "vary": view.vary,
            "rest": view.rest,
            "prompt": view.prompt,
        }
        running: list[dict[str, Any]] = [
            trigger(self.drawing(what), {*self.given}, self.shown, **run())
            for what, trigger in asked.items()
        ]
        running.append(view.open_link(self.open_link, None, self.everything, **run()))
        running.append(view.demo(self.demo, None, self.shown, **run()))
        controls.stop.click(None, None, None, cancels=running).then(  # after the last preview
            self.stopped, {self.stage.progress, self.stage.reached}, self.shown, **QUICK
        )

    def _connect_settings(self) -> None:
        restored = [self.page.tabs, *self.everything]
        self.drop.upload(self.restore, {self.drop}, restored, **SPOKEN)
        self.controls.load_link(self.page.blocks)

    def drawing(self, what: str) -> Callable[..., Iterator[Updates]]:
        """A handler that draws what a button stands for, as `DrawHandlers.order` names it."""

        def draw(values: Values, event: gr.EventData) -> Iterator[Updates]:
            yield from self.draw(what, values, told(event))

        return draw

    def draw(self, what: str, values: Values, picture: Mapping[str, object]) -> Iterator[Updates]:
        """Draw what a button stands for.

        Args:
            what: name of an order.
            values: values of the widgets.
            picture: place and scale of the picture that it is about, if it is about one.
        """
        inputs = self.inputs(values)
        picked = {name: picture[name] for name in ("place", "scale") if name in picture}
        yield from self._show(self.handlers.order(what, replace(inputs, **picked)))

    def draw_rest(
        self,
        values: Values,
        progress: JobProgress,
        scale: int,
        changes: Mapping[str, object],
    ) -> Iterator[Updates]:
        """Draw everything after a scale of a picture that may come from elsewhere.

        Args:
            values: values of `given`.
            progress: holds the tokens of the picture.
            scale: number of scales to keep.
            changes: values of controls that hold instead of those on the page.
        """
        inputs = self.inputs(values)
        changed = {**inputs.values, "count": 1, **changes}
        inputs = replace(inputs, values=changed, progress=progress, scale=scale)
        return self._show(self.handlers.order("prompt", inputs))

    def inputs(self, values: Values) -> DrawInputs:
        """What the widgets hold, those of `given` among them."""
        return DrawInputs(
            values=self.controls.values(values),
            keep_seed=values[self.controls.keep_seed],
            progress=values[self.stage.progress],
        )

    def open_link(self, event: gr.EventData) -> Iterator[Updates]:
        """Draw what a link names, with its settings in the controls."""
        order, wrong = self.read_link(event)
        settings = self.controls.updates(order.values, keep_seed=True)
        if wrong:
            yield {**settings, self.stage.status: wrong}
            return
        yield settings
        yield from self._show(order)

    def read_link(self, event: gr.EventData) -> tuple[Order, str]:
        """What a link asks for, without what is wrong in it, and a sentence about that or "".

        Raises:
            ValueError: if it is no link, or longer than an event may be.
        """
        query = told(event).get("query")
        if not isinstance(query, dict):
            raise ValueError("that link cannot be read")
        texts = {str(name): str(text) for name, text in query.items()}
        order, refused = read_order(self.handlers.controls, texts)
        return order, ". ".join(refused)

    def demo(self, event: gr.EventData) -> Iterator[Updates]:
        """Draw an example that nobody asked for; the controls stay as they are."""
        examples = self.controls.examples
        place = check_int("example", told(event).get("place"), 0, len(examples) - 1)
        yield from map(self.updates, self.handlers.demo(examples[place]))

    def _show(self, order: Order) -> Iterator[Updates]:
        return map(self.updates, self.handlers.stream(order))

    def stopped(self, values: Values) -> Updates:
        """Show what was drawn before Stop was pressed."""
        progress = values[self.stage.progress] if values[self.stage.reached] else None
        return self.updates(self.handlers.stopped(progress))

    def restore(self, values: Values) -> Iterator[Updates]:
        """Show the settings of a PNG that was drawn here; one that kept scales is drawn too."""
        with deleting(values[self.drop]) as path:
            order, sentence = self.handlers.restore(path)
        settings = self.controls.updates(order.values, keep_seed=True)
        yield {**settings, self.stage.status: sentence}
        if order.sides:
            yield {self.stage.view: self.handlers.opening(order)}
        elif order.kept:
            yield {self.page.tabs: gr.Tabs(selected="draw")}  # where it forms
            yield from self._show(order)

    def updates(self, moment: Moment) -> Updates:
        """New values of the widgets that show a moment."""
        return moment_updates(moment, self.parts)
