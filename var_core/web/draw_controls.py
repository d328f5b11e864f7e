"""The left column of the Draw tab: what to draw, and how."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.parsing import MAX_COUNT, MAX_SWEEP, SAMPLING_OPTIONS
from var_core.web.controls import BALANCED, PRESETS, Controls, new_seed
from var_core.web.events import LATEST, QUICK, SPOKEN, Updates, Values
from var_core.web.label_choices import LabelChoices
from var_core.web.option_widgets import option_widgets
from var_core.web.prompt_widgets import prompt_widgets
from var_core.web.widgets import changing_labels, dice_button, follow_labels, label_picker, warn


class DrawControls:
    """The widgets that hold the values of the controls, and the buttons that draw.

    Args:
        controls: names, defaults and limits of the values.

    Attributes:
        inputs: widgets under the names of the controls.
        keep_seed: whether the next drawing keeps the seed.
        guidances: guidance of each row of a grid.
        num_seeds: columns of a grid.
        generate: button that draws.
        stop: stops drawing.
        styles: button that draws one picture for each value of the last attribute.
        sweep: button that draws a grid.
        last_seed: brings the seed of the last picture back.
        drop: reads the settings of a PNG.
        draws: hidden; whether the page's own address names a picture.
    """

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        self.defaults: dict[str, Any] = controls.defaults()
        self.inputs: dict[str, Component] = {}
        self.inputs.update(prompt_widgets(controls))
        self._build_labels()
        self._build_seed()
        self._build_buttons()
        with gr.Accordion("More options", open=False, elem_id="more"):
            self._build_options()
        with gr.Accordion("Compare guidance and seeds", open=False, elem_id="sweep-box"):
            self._build_grid()
        with gr.Row(elem_id="exchange"):
            self._build_exchange()
        gr.Markdown(
            "Ctrl+Enter draws, Esc stops. Drop a PNG that was drawn here anywhere on this page to "
            "get its settings back.",
            elem_id="hints",
        )

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

    def _build_labels(self) -> None:
        choices, pickers, dice = LabelChoices(self.controls.labels), {}, {}
        for attribute in self.controls.labels.attributes:
            name = attribute.name
            with gr.Row(equal_height=False, elem_classes="with-dice"):
                pickers[name] = label_picker(choices, attribute, elem_id=name, min_width=160)
                dice[name] = dice_button(name)
        every: list[Component] = [*pickers.values()]
        for name, button in dice.items():
            roll = changing_labels(pickers, partial(choices.roll, name))
            button.click(roll, {*every}, every, **QUICK)
        follow_labels(choices, pickers)
        self.inputs.update(pickers)

    def _build_seed(self) -> None:
        with gr.Row(elem_classes="with-dice"):
            seed = gr.Number(
                self.defaults["seed"], label="Seed", precision=0, elem_id="seed", min_width=120
            )
            dice = dice_button("seed")
        with gr.Row(elem_id="seed-row"):
            self.keep_seed = gr.Checkbox(
                False, label="Keep this seed", elem_id="keep-seed", container=False, min_width=130
            )
            self.last_seed = gr.Button(
                "Last seed", size="sm", elem_id="reuse", min_width=90, scale=0
            )
        self.inputs["seed"] = seed
        dice.click(self.roll_seed, None, [seed, self.keep_seed], **QUICK)
        seed.input(None, None, self.keep_seed, js="() => true", **QUICK)

    def roll_seed(self) -> Updates:
        """A new seed for the next drawing."""
        return {self.inputs["seed"]: new_seed(), self.keep_seed: True}

    def _build_buttons(self) -> None:
        self.inputs["count"] = gr.Slider(
            1, MAX_COUNT, self.defaults["count"], step=1, label="Pictures", elem_id="count"
        )
        *_, last = (None, *self.controls.labels.attributes)
        with gr.Row(elem_id="actions"):
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate")
            self.stop = gr.Button("Stop", variant="stop", elem_id="stop")
            self.styles = gr.Button(
                f"Every {last.name}" if last else "",
                elem_id="styles",
                visible=last is not None and len(last.values) <= MAX_COUNT,
            )

    def _build_options(self) -> None:
        preset = gr.Dropdown(list(PRESETS), value=BALANCED, label="Preset", elem_id="preset")
        self.inputs.update(option_widgets(self.controls.info, self.defaults))
        sampling = [self.inputs[name] for name in SAMPLING_OPTIONS]

        def apply_preset(values: Values) -> Updates:
            chosen = self.controls.preset(values[preset])
            return {self.inputs[name]: value for name, value in chosen.items()}

        preset.input(apply_preset, {preset}, sampling, **LATEST)

    def _build_grid(self) -> None:
        self.guidances = gr.Textbox(
            "0, 1.5, 3, 6",
            label="Guidance of each row",
            info=f"at most {MAX_SWEEP} numbers, commas between them",
            elem_id="guidances",
        )
        self.num_seeds = gr.Slider(
            1, MAX_SWEEP, 3, step=1, label="Seeds, counting up", elem_id="num-seeds"
        )
        self.sweep = gr.Button("Draw the grid", elem_id="sweep")

    def _build_exchange(self) -> None:
        self.drop = gr.UploadButton(
            "Settings from a PNG", file_types=[".png"], elem_id="drop", size="sm"
        )
        link = gr.Button("Copy link", elem_id="link", size="sm")
        self.draws = gr.Checkbox(False, visible=False)
        script = f"(...values) => varStudio.link({json.dumps(list(self.inputs))}, values)"
        link.click(None, list(self.inputs.values()), None, js=script)

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
