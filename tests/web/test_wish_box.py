"""The box for words: what it holds, and what it makes of values from elsewhere."""

import json
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from tests.prompted_models import make_prompted
from tests.web.conftest import tiny_engine
from var_core.jobs.png_recipe import write_png
from var_core.serving.local_engine import LocalEngine
from var_core.web.controls import Controls
from var_core.web.wish_box import WishBox, catalogue

ENGINE = tiny_engine(make_prompted())


def box_of(engine: LocalEngine) -> WishBox:
    with gr.Blocks():
        return WishBox(Controls(engine.info))


def test_what_is_asked_for_goes_through_the_box_unchanged(engine: LocalEngine) -> None:
    box = box_of(engine)
    for labels in (("", "", ""), ("animal", "cat", "flat"), ("fruit", "", "")):
        values = dict(zip(("category", "emoji", "style"), labels, strict=True))
        assert box.values(box.pack(values)) == values
    box = box_of(ENGINE)
    values = {"prompt": ["salt and pepper", "in the snow"], "style": "noto"}
    assert box.values(box.pack(values)) == values  # "and" splits no phrase again


def test_a_picture_gives_its_phrases_back_whole(tmp_path: Path) -> None:
    controls, phrases = Controls(ENGINE.info), ["salt and pepper", "in the snow"]
    recipe = {"model": "tiny", "labels": {}, "prompt": phrases}
    write_png(tmp_path / "it.png", Image.new("RGB", (8, 8)), recipe)
    values, _ = controls.from_recipe(tmp_path / "it.png")
    assert values["prompt"] == phrases
    values, refused = controls.from_query({"prompt": json.dumps(phrases)})
    assert values["prompt"] == phrases and not refused


def test_words_of_a_link_become_phrases() -> None:
    box = box_of(ENGINE)
    packed = box.pack({"prompt": "a fox and a pizza, in the snow", "style": ""})
    assert json.loads(packed)["phrases"] == ["a fox", "a pizza", "in the snow"]


ODD = (
    *(None, 7, "", "<b>", "[]", "{}", '{"labels": [], "phrases": []}'),
    '{"labels": {}, "phrases": [' + "[]," * 300 + "1]}",
    '{"labels": {}, "phrases": [[[[[1]]]]]}',
    '{"labels": {"emoji": NaN}, "phrases": []}',
    '{"labels": {}, "phrases": ["' + "a" * 20_000 + '"]}',
)


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_what_no_page_sends_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="does not fit this page"):
        box_of(ENGINE).values(value)


def test_the_catalogue_names_menus_and_labels_with_their_groups(engine: LocalEngine) -> None:
    found = catalogue(ENGINE.info, takes_words=True)
    thing, place, style = found["kinds"]
    assert [one["name"] for one in (thing, place, style)] == ["thing", "place", "style"]
    assert thing["choices"][0] == ("a fox", "", "fox", ("vixen",), "animals")
    assert found["most"] == 4
    found = catalogue(engine.info, takes_words=False)
    assert [one["name"] for one in found["kinds"]] == ["category", "emoji", "style"]
    assert found["implies"] == [["emoji", "category", (0, 0, 1, 1)]] and found["most"] == 0
