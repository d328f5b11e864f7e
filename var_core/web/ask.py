"""What to draw, above all tabs: words and labels, the buttons that draw, a drawer of options."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.parsing import MAX_COUNT
from var_core.web.controls import Controls
from var_core.web.drawer import Drawer
from var_core.web.events import QUICK, SPOKEN, Updates, Values
from var_core.web.examples import examples_html, read_examples
from var_core.web.orders import read_order, use_of_link
from var_core.web.widgets import scripted_html, warn
from var_core.web.wish_box import WishBox


class Ask:
    """The widgets that hold the values of the controls, and the buttons that draw.

    Args:
        controls: names, defaults and limits of the values.

    Attributes:
        box: what is asked for, in words and labels.
        inputs: widgets of all other values, under the names of the controls.
        keep_seed: whether the next drawing keeps the seed.
        examples: pictures that were drawn beforehand.
        drawer: options that most drawings leave as they are.
        generate: button that draws.
        stop: stops drawing; it takes the place of `generate` while something is drawn.
        link: hidden; what the page does with its own address, as `use_of_link` says.
    """

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        defaults: dict[str, Any] = controls.defaults()
        with gr.Column(elem_id="ask"):
            with gr.Row(elem_id="wish-row"):
                self.box = WishBox(controls)
                with gr.Row(elem_id="actions"):
                    count = self._build_buttons(defaults["count"])
            with gr.Row(elem_id="drawers"):
                self.examples = read_examples(controls)
                if self.examples:
                    scripts = ("memory.js", "examples.js")
                    scripted_html(examples_html(self.examples), scripts, "examples")
                self.drawer = Drawer(controls, defaults)
                photo = gr.Button("Edit a photo", elem_id="edit-photo", scale=0)
        photo.click(None, None, None, js="() => varStudio.openTab('edit')", **QUICK)
        self.link = gr.Textbox("", visible=False)
        self.inputs: dict[str, Component] = {"count": count, **self.drawer.inputs}
        self.keep_seed = self.drawer.keep_seed

    @property
    def shown(self) -> list[Component]:
        """The widgets that hold the settings of a drawing."""
        return [self.box.widget, *self.inputs.values(), self.keep_seed, self.drawer.preset]

    def values(self, values: Values) -> dict[str, object]:
        """The values of the controls, under their names."""
        given = {name: values[widget] for name, widget in self.inputs.items()}
        return {**self.box.values(values[self.box.widget]), **given}

    def updates(self, values: Mapping[str, object], keep_seed: bool) -> Updates:
        """Show values of the controls."""
        shown: Updates = {widget: values[name] for name, widget in self.inputs.items()}
        shown[self.drawer.preset] = self.controls.preset_of(values)
        return {**shown, self.box.widget: self.box.pack(values), self.keep_seed: keep_seed}

    def _build_buttons(self, count: int) -> Component:
        self.generate = gr.Button("Draw", variant="primary", elem_id="generate", scale=0)
        self.stop = gr.Button("Stop", variant="stop", elem_id="stop", scale=0)
        return gr.Radio(
            list(range(1, MAX_COUNT + 1)),
            value=count,
            label="Pictures",
            elem_id="count",
            container=False,
            scale=0,
        )

    def load_link(self, blocks: gr.Blocks) -> None:
        """Show the values of the page's own address whenever the page is opened.

        An address that names pictures draws them at once, if it can be read whole.
        """

        def from_link(request: gr.Request) -> Updates:
            query = dict(request.query_params)
            order, refused = read_order(self.controls, query)
            for sentence in refused:
                warn(sentence)
            use = use_of_link(self.controls, query, refused)
            return {**self.updates(order.values, "seed" in query), self.link: use}

        blocks.load(from_link, None, [*self.shown, self.link], **SPOKEN).success(
            None, self.link, None, js="link => varStudio.opened(link)"
        )
