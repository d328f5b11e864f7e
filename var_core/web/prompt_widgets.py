"""The boxes that take words."""

from collections.abc import Container

import gradio as gr
from gradio.components import Component

from var_core.text import MAX_PROMPT_CHARACTERS
from var_core.web.controls import Controls

EXAMPLE = "a fox, a birthday cake, in the snow at night"


def prompt_widgets(
    controls: Controls, names: Container[str] = ("prompt", "negative_prompt")
) -> dict[str, Component]:
    """The boxes for words, under the names of the controls; none for a model that takes no words.

    Args:
        controls: controls of the model.
        names: names of the controls that get a box.
    """
    boxes: dict[str, Component] = {}
    for name in controls.prompts:
        if name not in names:
            continue
        is_negative = name == "negative_prompt"
        boxes[name] = gr.Textbox(
            label="Not" if is_negative else "Prompt",
            placeholder="what the picture should not show" if is_negative else EXAMPLE,
            lines=1 if is_negative else 2,
            max_length=MAX_PROMPT_CHARACTERS,
            elem_id=name.replace("_", "-"),
        )
    return boxes
