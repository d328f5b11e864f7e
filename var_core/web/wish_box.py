"""The box for all that is asked for: words, names of labels, choices of menus; each is a chip."""

import json
from collections.abc import Mapping, Sequence

import gradio as gr

from var_core.labels import LabelSpace
from var_core.model_info import ModelInfo
from var_core.text import split_prompt
from var_core.text.prompt import JOINING_WORDS
from var_core.web.assets import asset_path, read_asset
from var_core.web.controls import Controls
from var_core.web.label_choices import ANY, LabelChoices

DAMAGED = "what is asked for does not fit this page: reload it and try again"
Pictures = Mapping[str, Mapping[str, str]]


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
            js_on_load=read_asset("wish.js"),
            elem_id="wish",
            catalogue=json.dumps(catalogue(controls.info, bool(words)), ensure_ascii=False),
        )

    def pack(self, values: Mapping[str, object]) -> str:
        """The value of the box that holds values of the controls."""
        labels = {name: values[name] for name in self.controls.attributes if values[name]}
        words = values.get("prompt") or ()
        if isinstance(words, str):
            words = split_prompt(words, self.controls.info.max_phrases or len(labels) or 1)
        is_understood = not self.controls.info.max_phrases and bool(labels)
        phrases = [] if is_understood or not isinstance(words, Sequence) else list(words)
        return json.dumps({"labels": labels, "phrases": phrases}, ensure_ascii=False)

    def values(self, packed: object) -> dict[str, object]:
        """The values of the controls that the box holds.

        Raises:
            ValueError: if it is not what the page sends.
        """
        try:
            content = json.loads(packed) if isinstance(packed, str) else None
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
    space, pictures = info.labels, read_pictures(info.name)
    names = [attribute.name for attribute in space.attributes]
    most = info.max_phrases or (len(names) if takes_words else 0)
    return {
        "kinds": [*_menu_kinds(space, pictures), *_label_kinds(space, pictures)],
        "implies": [[names[one], names[two], table] for (one, two), table in space.implies.items()],
        "joining": JOINING_WORDS,
        "most": most,
        "hint": "a fox, in the snow, at night" if info.max_phrases else _hint(space),
    }


def _hint(space: LabelSpace) -> str:
    names = ", ".join(attribute.name for attribute in space.attributes)
    return f"What do you want to see? Type a name ({names})" if names else "Anything"


def _menu_kinds(space: LabelSpace, pictures: Pictures) -> list[dict[str, object]]:
    return [
        {
            "name": menu.name,
            "isMenu": True,
            "groups": [choice.group for choice in menu.choices],
            "choices": [
                (one.phrase, "", one.name, one.words, pictures.get(menu.name, {}).get(one.name, ""))
                for one in menu.choices
            ],
        }
        for menu in space.menus
    ]


def _label_kinds(space: LabelSpace, pictures: Pictures) -> list[dict[str, object]]:
    choices, kinds = LabelChoices(space), []
    for column, attribute in enumerate(space.attributes):
        shown = pictures.get(attribute.name, {})
        rows = [(*row, shown.get(row[0], "")) for row in choices.choices(attribute)[1:]]
        kind: dict[str, object] = {"name": attribute.name, "isMenu": False}
        for (finer, coarser), table in space.implies.items():
            if finer == column:
                kind["groups"] = [space.attributes[coarser].values[index] for index in table]
            elif coarser == column:  # a category looks like the first of its members
                symbols = space.characters.get(space.attributes[finer].name, ())
                first = {
                    group: symbols[place]
                    for place, group in reversed([*enumerate(table)])
                    if symbols
                }
                rows = [
                    (row[0], first.get(place, row[1]), *row[2:]) for place, row in enumerate(rows)
                ]
        kinds.append({**kind, "choices": rows})
    return kinds


def read_pictures(model: str) -> Pictures:
    """Small pictures of labels, as data URLs under attribute and name; a model may have none."""
    path = asset_path(f"thumbnails/{model}.json")
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
