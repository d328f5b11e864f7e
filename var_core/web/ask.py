"""What to draw, above all tabs: words and labels, the buttons that draw, a drawer of options."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.parsing import MAX_COUNT
from var_core.web.controls import Controls
from var_core.web.drawer import Drawer
from var_core.web.events import QUICK, SPOKEN, Updates, Values
from var_core.web.label_choices import LabelChoices
from var_core.web.prompt_widgets import prompt_widgets
from var_core.web.widgets import changing_labels, dice_button, follow_labels, label_picker, warn


class Ask:
    """The widgets that hold the values of the controls, and the buttons that draw.

    Args:
        controls: names, defaults and limits of the values.

    Attributes:
        inputs: widgets under the names of the controls.
        keep_seed: whether the next drawing keeps the seed.
        drawer: options that most drawings leave as they are.
        generate: button that draws.
        stop: stops drawing; it takes the place of `generate` while something is drawn.
        styles: button that draws one picture for each value of the last attribute.
        draws: hidden; whether the page's own address names a picture.
    """

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        defaults: dict[str, Any] = controls.defaults()
        with gr.Column(elem_id="ask"):
            found = self._build_wish()
            with gr.Row(elem_id="actions"):
                found["count"] = self._build_buttons(defaults["count"])
            self.drawer = Drawer(controls, defaults)
        self.draws = gr.Checkbox(False, visible=False)
        found |= self.drawer.inputs
        self.inputs: dict[str, Component] = {name: found[name] for name in controls.names}
        self.keep_seed = self.drawer.keep_seed
        self.drawer.connect(self.inputs)

    @property
    def shown(self) -> list[Component]:
        """The widgets that hold the settings of a drawing."""
        return [*self.inputs.values(), self.keep_seed]

    def values(self, values: Values) -> dict[str, object]:
        """The values of the controls, under their names."""
        return {name: values[widget] for name, widget in self.inputs.items()}

    def updates(self, values: Mapping[str, object], keep_seed: bool) -> Updates:
        """Show values of the controls."""
        shown = {self.inputs[name]: value for name, value in values.items()}
        return {**shown, self.keep_seed: keep_seed}

    def _build_wish(self) -> dict[str, Component]:
        choices, pickers, dice = LabelChoices(self.controls.labels), {}, {}
        with gr.Row(elem_id="wish"):
            prompts = prompt_widgets(self.controls)
            for attribute in self.controls.labels.attributes:
                name = attribute.name
                with gr.Row(equal_height=False, elem_classes="with-dice"):
                    pickers[name] = label_picker(choices, attribute, elem_id=name, min_width=120)
                    dice[name] = dice_button(name)
        every: list[Component] = [*pickers.values()]
        for name, button in dice.items():
            roll = changing_labels(pickers, partial(choices.roll, name))
            button.click(roll, {*every}, every, **QUICK)
        follow_labels(choices, pickers)
        return {**prompts, **pickers}

    def _build_buttons(self, count: int) -> Component:
        *_, last = (None, *self.controls.labels.attributes)
        self.generate = gr.Button("Draw", variant="primary", elem_id="generate", scale=0)
        self.stop = gr.Button("Stop", variant="stop", elem_id="stop", scale=0)
        pictures = gr.Radio(
            list(range(1, MAX_COUNT + 1)),
            value=count,
            label="Pictures",
            elem_id="count",
            container=False,
            scale=0,
        )
        self.styles = gr.Button(
            f"Every {last.name}" if last else "",
            elem_id="styles",
            visible=False,
            scale=0,
        )
        return pictures

    def load_link(self, blocks: gr.Blocks) -> None:
        """Show the values of the page's own address whenever the page is opened.

        An address with a seed names a picture, which is drawn at once.
        """

        def from_link(request: gr.Request) -> Updates:
            query = dict(request.query_params)
            values, refused = self.controls.from_query(query)
            for sentence in refused:
                warn(sentence)
            names_picture = "seed" in query and not refused
            return {**self.updates(values, "seed" in query), self.draws: names_picture}

        blocks.load(from_link, None, [*self.shown, self.draws], **SPOKEN).success(
            None, self.draws, None, js="draws => varStudio.opened(draws)"
        )
