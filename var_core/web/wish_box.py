"""The box for all that is asked for: names of labels, choices of menus, words; each is a chip."""

from collections.abc import Mapping, Sequence

import gradio as gr

from var_core.counted_json import SMALL, read_counted
from var_core.labels import LabelSpace
from var_core.model_info import ModelInfo
from var_core.text import split_prompt
from var_core.text.prompt import COMMAS, JOINING_WORDS
from var_core.web.assets import read_asset
from var_core.web.controls import Controls
from var_core.web.examples import read_faces
from var_core.web.html import plain_json
from var_core.web.label_choices import ANY, searched_choices

DAMAGED = "what is asked for does not fit this page: reload it and try again"
SCRIPTS = ("choose.js", "wish.js")  # in this order, one text


class WishBox:
    """A box whose value is JSON of labels and phrases; the browser part is `assets/wish.js`.

    Args:
        controls: controls of the model, which name attributes and words.

    Attributes:
        widget: the box.
        names: names of the controls whose values it holds.
    """

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        words = [name for name in controls.prompts if name == "prompt"]
        self.names = (*words, *controls.attributes)
        self.widget = gr.HTML(
            self.pack(controls.defaults()),
            html_template=read_asset("wish.html"),
            js_on_load="".join(map(read_asset, SCRIPTS)),
            apply_default_css=False,
            elem_id="wish",
            catalogue=plain_json(catalogue(controls.info, bool(words))),
        )
        self.widget.postprocess = lambda value: value  # no HTML, though it may look like it

    def pack(self, values: Mapping[str, object]) -> str:
        """The value of the box that holds values of the controls."""
        labels = {name: values[name] for name in self.controls.attributes if values[name]}
        words = values.get("prompt") or ()
        if isinstance(words, str):
            words = split_prompt(words, self.controls.info.max_phrases or len(labels) or 1)
        is_understood = not self.controls.info.max_phrases and bool(labels)
        phrases = [] if is_understood or not isinstance(words, Sequence) else list(words)
        return plain_json({"labels": labels, "phrases": phrases})

    def values(self, packed: object) -> dict[str, object]:
        """The values of the controls that the box holds.

        Raises:
            ValueError: if it is not what the page sends.
        """
        try:
            content = read_counted(packed, SMALL) if isinstance(packed, str) else None
        except ValueError as error:
            raise ValueError(DAMAGED) from error
        labels, phrases = _parts(content)
        found: dict[str, object] = {name: labels.get(name, ANY) for name in self.names}
        if "prompt" in self.names:
            found["prompt"] = phrases
        return found


def _parts(content: object) -> tuple[dict[str, object], list[object]]:
    labels = content.get("labels") if isinstance(content, dict) else None
    phrases = content.get("phrases") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not isinstance(phrases, list):
        raise ValueError(DAMAGED)
    return labels, phrases


def catalogue(info: ModelInfo, takes_words: bool) -> dict[str, object]:
    """All that a model knows by name, for the search in the browser.

    Args:
        info: model.
        takes_words: whether words that are no name are taken too.
    """
    space = info.labels
    names = [attribute.name for attribute in space.attributes]
    menus = [
        {
            "name": menu.name,
            "isMenu": True,
            "choices": [(one.phrase, "", one.name, one.words, one.group) for one in menu.choices],
        }
        for menu in space.menus
    ]
    faces = read_faces(info.name)
    labels = []
    for attribute in space.attributes:
        shown = faces.get(attribute.name, {})
        rows = searched_choices(space, attribute)
        choices = [(*row, "", shown[row[0]]) if row[0] in shown else row for row in rows]
        labels.append({"name": attribute.name, "choices": choices})
    return {
        "kinds": [*menus, *labels],
        "implies": [[names[one], names[two], table] for (one, two), table in space.implies.items()],
        "commas": COMMAS,
        "joining": JOINING_WORDS,
        "most": info.max_phrases or (len(names) if takes_words else 0),
        "about": _about(space, info.max_phrases),
    }


def _about(space: LabelSpace, max_phrases: int) -> str:
    """What can be typed, in a sentence."""
    if max_phrases:
        return f"Up to {max_phrases} phrases, such as: a fox, in the snow, at night"
    names = ", ".join(attribute.name for attribute in space.attributes)
    return f"By name or tag: {names}. The rest is random" if names else "Drawn at random"
