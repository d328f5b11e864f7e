"""The drawer under the box for words: what most drawings leave as it is."""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.jobs.parsing import SAMPLING_OPTIONS
from var_core.web.controls import BALANCED, PRESETS, Controls
from var_core.web.events import LATEST, QUICK, Updates, Values
from var_core.web.option_widgets import option_widgets

MAX_SWEEP = 4


class Drawer:
    """Seed and options, closed at first, and what exchanges them with files and links.

    Args:
        controls: names, defaults and limits of the values.
        defaults: values of a fresh page.

    Attributes:
        inputs: widgets under the names of the controls that it holds.
        seed: seed of the next drawing, if it is kept.
        keep_seed: whether the next drawing keeps the seed.
        guidances: guidance of each row of a grid.
        num_seeds: columns of a grid.
        sweep: button that draws a grid.
        drop: reads the settings of a PNG.
        link: button that copies a link to the picture.
    """

    def __init__(self, controls: Controls, defaults: Mapping[str, Any]) -> None:
        self.controls = controls
        with gr.Row(elem_id="drawers"):
            with (
                gr.Accordion("More options", open=False, elem_id="more"),
                gr.Row(elem_id="options"),
            ):
                self.seed = self._build_seed(defaults["seed"])
                self.inputs: dict[str, Component] = {"seed": self.seed}
                self.preset = gr.Dropdown(
                    list(PRESETS), value=BALANCED, label="Preset", elem_id="preset"
                )
                self.inputs.update(option_widgets(controls.info, defaults))
            with gr.Accordion("Compare guidance and seeds", visible=False, elem_id="sweep-box"):
                self._build_grid()
            with gr.Row(elem_id="exchange"):
                self.drop = gr.UploadButton(
                    "Settings from a PNG", file_types=[".png"], elem_id="drop", size="sm"
                )
                self.link = gr.Button("Copy link", elem_id="link", size="sm")

    def connect(self, every: Mapping[str, Component]) -> None:
        """Set its events up; a link holds the values of all widgets."""
        sampling = [self.inputs[name] for name in SAMPLING_OPTIONS]
        self.preset.input(self.apply_preset, {self.preset}, sampling, **LATEST)
        self.seed.input(None, None, self.keep_seed, js="() => true", **QUICK)
        script = f"(...values) => varStudio.link({json.dumps(list(every))}, values)"
        self.link.click(None, list(every.values()), None, js=script)

    def apply_preset(self, values: Values) -> Updates:
        """Set the options of a preset."""
        chosen = self.controls.preset(values[self.preset])
        return {self.inputs[name]: value for name, value in chosen.items()}

    def _build_seed(self, seed: int) -> gr.Number:
        with gr.Row(elem_id="seed-row"):
            number = gr.Number(
                seed, label="Seed of the picture", precision=0, elem_id="seed", min_width=120
            )
            self.keep_seed = gr.Checkbox(
                False, label="Keep", elem_id="keep-seed", container=False, min_width=80, scale=0
            )
        return number

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
