"""The boxes for words, and what becomes of them."""

from pathlib import Path

import pytest

from tests.prompted_models import make_prompted
from tests.web.conftest import tiny_engine
from tests.web.test_draw_handlers import again, ask, file, told
from tests.web.test_draw_tab import draw_tab
from tests.web.test_edit_mode import edit_mode
from var_core import LabelSpace, VARPipeline
from var_core.labels import Attribute
from var_core.serving.local_engine import LocalEngine
from var_core.web.controls import Controls
from var_core.web.draw_handlers import DrawHandlers
from var_core.wishes import Wish

ENGINE = tiny_engine(make_prompted())


def test_a_model_with_text_has_boxes_for_words_that_edits_share(tmp_path: Path) -> None:
    controls = draw_tab(ENGINE, tmp_path).controls
    assert controls.box.names == ("prompt", "style") and "negative_prompt" in controls.inputs
    edit = edit_mode(ENGINE, tmp_path)
    ask = edit.page.ask
    assert {ask.box.widget, *ask.inputs.values()} == {*edit.inputs}
    assert ask.box.values(edit.wish[ask.box.widget])["prompt"] == []  # with a new picture
    assert edit.wish[ask.inputs["negative_prompt"]] == ""


def test_words_are_drawn_saved_and_given_back(tmp_path: Path) -> None:
    handlers = DrawHandlers(ENGINE, tmp_path, str)
    words = {"prompt": ["a fox", "in the snow"], "negative_prompt": "a pizza"}
    moment = ask(handlers, style="flat", **words)[-1]
    assert moment.status.endswith("seed 7: a fox, in the snow, flat")
    values, kept = handlers.controls.from_recipe(file(moment))
    assert {name: values[name] for name in words} == words and not kept
    assert handlers.controls.read(values).settings.wish == Wish(
        (1,), ("a fox", "in the snow"), ("a pizza",)
    )
    found = Path(file(moment)).read_bytes()
    assert Path(file(ask(handlers, **values)[-1])).read_bytes() == found
    for query in (told(moment)["query"], *told(moment)["queries"]):
        (alone,) = again(handlers, query)
        assert Path(alone).read_bytes() == found


def test_a_link_restores_words_and_leaves_out_bad_ones() -> None:
    controls = Controls(ENGINE.info)
    values, refused = controls.from_query({"prompt": "a fox", "negative_prompt": "a\x00"})
    assert values["prompt"] == "a fox" and values["negative_prompt"] == ""
    assert refused[0].startswith("The link's negative_prompt was left out: a prompt must not hold")
    values, refused = controls.from_query({"prompt": "[" * 20_000})
    assert values["prompt"] == "" and "it must be words, or a list" in refused[0]


@pytest.mark.parametrize("prompt", ["1, 2, 3, 4, 5", "x" * 10_000, " , ", 7])
def test_bad_words_are_refused(prompt: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="prompt"):
        ask(DrawHandlers(ENGINE, tmp_path, str), prompt=prompt)


def test_a_model_of_named_classes_has_a_box_that_finds_them(
    class_pipeline: VARPipeline, engine: LocalEngine, tmp_path: Path
) -> None:
    names = ("cat", "dog", "apple", "pear", "owl", "fox", "bee", "cow", "pig", "hen")
    parts = class_pipeline.tokenizer, class_pipeline.transformer
    named = VARPipeline(*parts, LabelSpace((Attribute("class", names),)))
    handlers = DrawHandlers(tiny_engine(named), tmp_path, str)
    assert handlers.controls.prompts == ("prompt",)
    assert ask(handlers, prompt="an owl")[-1].status.endswith(": owl")
    for other in (tiny_engine(class_pipeline), engine):  # numbered classes; several attributes
        assert Controls(other.info).prompts == ()
