"""JSON of strangers, wherever it stands, is counted before it is parsed."""

import json

import pytest

from tests.prompted_models import make_prompted
from tests.web.conftest import tiny_engine
from var_core import counted_json
from var_core.counted_json import SMALL, JsonLimits, read_counted
from var_core.jobs.mask_codec import read_runs
from var_core.jobs.png_recipe import parse_recipe
from var_core.web.controls import Controls

LISTS = "[]," * 300_000 + "[]"
CONTROLS = Controls(tiny_engine(make_prompted()).info)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (JsonLimits(size=9), "[1, 2, 3, 4]"),
        (JsonLimits(plain_bytes=9), "[1, 2, 3, 4]"),
        (JsonLimits(values=3), "[1, 2, 3, 4]"),
        (JsonLimits(groups=2), "[[], []]"),
        (JsonLimits(groups=2), "[[]]]]"),
        (JsonLimits(depth=2), "[[[]]]"),
    ],
)
def test_each_limit_is_judged_before_anything_is_parsed(
    limits: JsonLimits, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted_json.json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(ValueError, match=r"^JSON"):
        read_counted(text, limits)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", '{"a": 1e999}'])
def test_numbers_without_an_end_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        read_counted(text, SMALL)
    assert read_counted('["NaN", 1e99]', SMALL) == ["NaN", 1e99]


def test_no_text_inside_of_a_call_or_a_file_is_parsed_uncounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(ValueError, match="no JSON"):
        read_runs(f'{{"width":64,"height":64,"runs":[{LISTS}]}}')
    with pytest.raises(ValueError, match="damaged"):
        parse_recipe(f'{{"labels":{{}},"x":[{LISTS}]}}', "a.png")
    for text in (f"[{LISTS}]", "[" * 100_000):
        values, refused = CONTROLS.from_query({"prompt": text})
        assert values == CONTROLS.defaults() and len(refused) == 1 and len(refused[0]) < 150


def test_a_recipe_holds_what_recipes_hold_and_nothing_else() -> None:
    known = {"labels": {"style": "noto"}, "seed": 3, "top_p": 0.5}
    assert parse_recipe(json.dumps({**known, "x": [1], "__proto__": {}}), "a.png") == known
