"""The widgets under "More options": how tokens are drawn, and how a drawing is shown."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.devices import PRECISIONS
from var_core.model_info import ModelInfo
from var_core.option_fields import OptionField


def option_widgets(info: ModelInfo, defaults: Mapping[str, Any]) -> dict[str, Component]:
    """The widgets, under the names of the controls.

    Args:
        info: model whose sampling options are shown.
        defaults: values of all controls.
    """
    sampling = {one.name: option_widget(one, defaults[one.name]) for one in info.option_fields}
    return {**sampling, **_drawing_widgets(defaults)}


def option_widget(option: OptionField, value: Any) -> Component:
    """The widget of one option: a checkbox for a switch, a slider for a number."""
    elem_id = option.name.removesuffix("_scale")
    if option.is_switch:
        return gr.Checkbox(value, label=option.label, info=option.help, elem_id=elem_id)
    low, high = option.shown or (option.low, option.high)
    return gr.Slider(
        low, high, value, step=option.step, label=option.label, info=option.help, elem_id=elem_id
    )


def _drawing_widgets(defaults: Mapping[str, Any]) -> dict[str, Component]:
    return {
        "precision": gr.Radio(
            list(PRECISIONS),
            value=defaults["precision"],
            label="Precision",
            info="bf16 is faster where the processor has it; seeds mean other pictures in it",
            elem_id="precision",
        ),
        "with_recipe": gr.Checkbox(
            defaults["with_recipe"],
            label="Settings inside the PNG",
            info="labels, seed and options, nothing about you",
            elem_id="with_recipe",
        ),
    }
