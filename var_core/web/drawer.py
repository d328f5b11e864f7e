"""The drawer under the box for words: what most drawings leave as it is."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.parsing import SAMPLING_OPTIONS
from var_core.web.controls import BALANCED, OWN, PRESETS, Controls
from var_core.web.events import LATEST, QUICK, Updates, Values
from var_core.web.option_widgets import option_widgets
from var_core.web.prompt_widgets import prompt_widgets


class Drawer:
    """Seed and options, closed at first.

    Args:
        controls: names, defaults and limits of the values.
        defaults: values of a fresh page.

    Attributes:
        inputs: widgets under the names of the controls that it holds.
        seed: seed of the next drawing, if it is kept.
        keep_seed: whether the next drawing keeps the seed.
        preset: name of the options that are set.
    """

    def __init__(self, controls: Controls, defaults: Mapping[str, Any]) -> None:
        self.controls = controls
        with (
            gr.Accordion("More options", open=False, elem_id="more"),
            gr.Row(elem_id="options"),
        ):
            self.seed = self._build_seed(defaults["seed"])
            self.inputs: dict[str, Component] = {"seed": self.seed}
            self.preset = gr.Radio(
                [*PRESETS, OWN],
                value=BALANCED,
                label="Preset",
                info="sets the sliders; Faithful follows the words, Wild roams",
                elem_id="preset",
            )
            self.inputs.update(prompt_widgets(controls, names=("negative_prompt",)))
            self.inputs.update(option_widgets(controls.info, defaults))
        sampling = [self.inputs[name] for name in SAMPLING_OPTIONS]
        self.preset.input(self.apply_preset, {self.preset}, sampling, **LATEST)
        for widget in sampling:
            moved: Any = widget  # a slider or a box to tick
            moved.input(self.name_preset, {*sampling}, self.preset, **LATEST)
        self.seed.input(None, None, self.keep_seed, js="() => true", **QUICK)

    def apply_preset(self, values: Values) -> Updates:
        """Set the options of a preset."""
        if values[self.preset] == OWN:
            return gr.skip()
        chosen = self.controls.preset(values[self.preset])
        return {self.inputs[name]: value for name, value in chosen.items()}

    def name_preset(self, values: Values) -> Updates:
        """Show whether the options are still those of a preset."""
        options = {name: values[self.inputs[name]] for name in SAMPLING_OPTIONS}
        return {self.preset: self.controls.preset_of(options)}

    def _build_seed(self, seed: int) -> gr.Number:
        with gr.Row(elem_id="seed-row"):
            number = gr.Number(
                seed, label="Seed of the picture", precision=0, elem_id="seed", min_width=120
            )
            self.keep_seed = gr.Checkbox(
                False, label="Keep", elem_id="keep-seed", container=False, min_width=80, scale=0
            )
        return number
