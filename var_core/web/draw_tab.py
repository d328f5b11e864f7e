"""The Draw tab: pictures that form scale by scale."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.progress import JobProgress
from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.draw_handlers import DrawHandlers, DrawInputs
from var_core.web.events import DRAWING, QUICK, SPOKEN, Updates, Values, moment_updates
from var_core.web.history import History, find_entry, forget
from var_core.web.html import history_html
from var_core.web.page import Page
from var_core.web.progress import Moment, stream
from var_core.web.stage import Stage
from var_core.web.widgets import deleting, save_on_click, scripted_html


class DrawTab:
    """The picture and its scales, and what was drawn so far.

    Args:
        page: the page that it belongs to.

    Attributes:
        controls: what to draw, above all tabs.
        stage: the last drawing.
        shown: every widget that shows a part of a drawing.
        everything: these widgets, and those that hold the settings of a drawing.
        given: widgets that a drawing is made of.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.handlers = DrawHandlers(page.engine, page.folder, page.client)
        self.controls = page.ask
        with gr.Tab("Draw", id="draw"), gr.Column(elem_id="stage-column"):
            self.stage = Stage(self.handlers)
            with gr.Column(elem_id="history-column"):
                self._build_history()
        self.parts: dict[str, Component] = {
            **self.stage.shown,
            "seed": self.controls.inputs["seed"],
            "history": self.history,
        }
        self.shown: list[Component] = [*self.parts.values(), self.shelf]
        self.everything = list(dict.fromkeys([*self.shown, *self.controls.shown]))
        self._connect_drawing()
        self._connect_settings()

    def _build_history(self) -> None:
        self.history = gr.State((), time_to_live=MAX_AGE_SECONDS)
        gr.Markdown("### Drawn so far", elem_id="history-title")
        self.shelf = scripted_html(shelf_html(()), "history.js", "history")
        archive = gr.Button("Download all (zip)", size="sm", elem_id="archive")
        save_on_click(archive, self.handlers.archive, [self.history], self.stage.download)
        self.shelf.forget(self.forget, {self.history}, [self.history, self.shelf], **QUICK)

    def _connect_drawing(self) -> None:
        controls, stage = self.controls, self.stage
        self.given: list[Component] = [
            *controls.shown,
            controls.drawer.guidances,
            controls.drawer.num_seeds,
            stage.progress,
            stage.scale,
            self.history,
        ]
        buttons = {
            "pictures": controls.generate,
            "styles": controls.styles,
            "grid": controls.drawer.sweep,
            "rest": stage.redraw,
        }
        running: list[dict[str, Any]] = [
            button.click(
                partial(self.draw, what),
                {*self.given},
                self.shown,
                show_progress_on=stage.status,
                **DRAWING,
            )
            for what, button in buttons.items()
        ]
        running.append(
            self.shelf.restore(
                self.draw_again,
                {self.history},
                self.everything,
                show_progress_on=stage.status,
                **DRAWING,
            )
        )
        controls.stop.click(None, None, None, cancels=running).then(  # after the last preview
            self.stopped, {stage.progress}, self.shown, **QUICK
        )

    def _connect_settings(self) -> None:
        drop = self.controls.drawer.drop
        drop.upload(self.restore, {drop}, self.everything, **SPOKEN)
        self.controls.load_link(self.page.blocks)

    def draw(self, what: str, values: Values) -> Iterator[Updates]:
        """Draw what a button stands for: "pictures", "styles", "grid" or "rest"."""
        plan = self.handlers.plan(what, self._inputs(values))
        yield from map(self.updates, stream(self.page.engine, plan, self.page.client()))

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
        inputs = self._inputs(values)
        changed = {**inputs.values, **changes}
        inputs = replace(inputs, values=changed, progress=progress, scale=scale)
        plan = self.handlers.plan("rest", inputs)
        return map(self.updates, stream(self.page.engine, plan, self.page.client()))

    def _inputs(self, values: Values) -> DrawInputs:
        return DrawInputs(
            values=self.controls.values(values),
            keep_seed=values[self.controls.keep_seed],
            progress=values[self.stage.progress],
            scale=values[self.stage.scale],
            guidances=values[self.controls.drawer.guidances],
            num_seeds=values[self.controls.drawer.num_seeds],
            history=values[self.history],
        )

    def draw_again(self, values: Values, event: gr.EventData) -> Iterator[Updates]:
        """Draw an entry of the history again, with its settings in the controls."""
        history: History = values[self.history]
        entry = find_entry(history, event.number)
        yield self.controls.updates(entry.values, keep_seed=True)
        plan = self.handlers.plan_again(entry.number, history)
        yield from map(self.updates, stream(self.page.engine, plan, self.page.client()))

    def stopped(self, values: Values) -> Updates:
        """Show what was drawn before Stop was pressed."""
        return self.updates(self.handlers.stopped(values[self.stage.progress]))

    def restore(self, values: Values) -> Updates:
        """Show the settings of a PNG that was drawn here."""
        with deleting(values[self.controls.drawer.drop]) as path:
            settings, moment = self.handlers.restore(path)
        return {**self.updates(moment), **self.controls.updates(settings, keep_seed=True)}

    def forget(self, values: Values, event: gr.EventData) -> Updates:
        """Take an entry out of the history."""
        history = forget(values[self.history], event.number)
        return {self.history: history, self.shelf: shelf_html(history)}

    def updates(self, moment: Moment) -> Updates:
        """New values of the widgets that show a moment."""
        updates = moment_updates(moment, self.parts)
        if moment.history is not None:
            updates[self.shelf] = shelf_html(moment.history)
        return updates


def shelf_html(history: History) -> str:
    """The history as the page shows it."""
    return history_html([(entry.number, entry.thumbnail, entry.words) for entry in history])
