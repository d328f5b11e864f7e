"""The Compare tab: what stands in it at first, and what its widgets make of each other."""

import json
from pathlib import Path

import pytest

from tests.prompted_models import make_prompted
from tests.web.conftest import tiny_engine
from var_core import VARPipeline
from var_core.jobs.comparison import MAX_CELLS, axis_titles, parse_axis
from var_core.model_info import ModelInfo
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.compare_tab import CompareTab
from var_core.web.draw_tab import DrawTab
from var_core.web.page import Page, Site
from var_core.web.sheet_settings import describe, first_values, presets


def compare_tab(engine: LocalEngine, folder: Path) -> CompareTab:
    """The tab, on a page of its own."""
    tabs = []

    def add_tabs(page: Page) -> None:
        tabs.append(CompareTab(page, DrawTab(page)))

    Site([engine], add_tabs, folder, JobMetrics())
    return tabs[0]


@pytest.fixture(params=["labels", "classes", "words"])
def info(request: pytest.FixtureRequest) -> ModelInfo:
    names = {"labels": "pipeline", "classes": "class_pipeline"}
    if request.param == "words":
        return make_prompted().info
    return request.getfixturevalue(names[request.param]).info


def test_comparisons_to_begin_with_fit_every_model(info: ModelInfo) -> None:
    found = presets(info)
    assert len({one.words for one in found}) == len(found) >= 2
    for one in found:
        words, axes = describe(info, one.rows, one.columns)
        assert axes and len(axes[0]) * len(axes[1]) <= MAX_CELLS and "pictures" in words
    for name in axis_titles(info):
        assert parse_axis(info, name, first_values(info, name)).values


def test_a_model_of_styles_begins_with_all_of_them(pipeline: VARPipeline) -> None:
    first, *_ = presets(pipeline.info)
    assert first.words == "Every style" and first.columns == ("style", "flat, round, 3d")
    first, *_ = presets(make_prompted().info)
    assert first.words == "Styles and places"


def test_what_would_be_drawn_is_said_and_shown(engine: LocalEngine, tmp_path: Path) -> None:
    tab = compare_tab(engine, tmp_path)
    typed = dict(zip(tab.sides, ("seed", "1, 2", "style", "3d\nflat"), strict=True))
    shown = tab.describe(typed)
    assert shown[tab.status].startswith("4 pictures, drawn together (at most 16 pictures")
    assert json.loads(shown[tab.view])["plan"] == [["seed 1", "seed 2"], ["3d", "flat"]]
    shown = tab.describe({**typed, tab.sides[3]: "4d"})
    assert shown[tab.status].startswith("There is no style '4d'; the nearest is '3d' (a sheet has")
    assert json.loads(shown[tab.view])["plan"] == []


def test_a_sheet_is_drawn_by_the_settings_above_the_tabs(
    engine: LocalEngine, tmp_path: Path
) -> None:
    tab = compare_tab(engine, tmp_path)
    controls, stage = tab.draw.controls, tab.draw.stage
    values = {
        **controls.updates({**controls.controls.defaults(), "emoji": "cat", "seed": 3}, True),
        stage.progress: None,
        stage.selected: 0,
        **dict(zip(tab.sides, ("guidance_scale", "0, 2", "style", "3d"), strict=True)),
    }
    *steps, last = tab.draw_sheet(values)
    assert [step.get(tab.status) for step in steps][1:] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    assert last[tab.progress].request.seeds == (3, 3)
    assert {label[:2] for label in last[tab.progress].labels} == {(0, 0)}
    assert last[tab.status].startswith("Done in ")
    before = steps[2][
        tab.progress
    ]  # is what there was when the next sheet was stopped at its start
    stopped = [
        tab.stopped({tab.progress: before, tab.reached: count})[tab.view] for count in (2, 0)
    ]
    assert ['"nothing":true' in one for one in stopped] == [False, True]
    assert [steps[place][tab.reached] for place in (0, 2)] == [0, 2]


def test_a_model_of_words_compares_styles_and_places_at_first(tmp_path: Path) -> None:
    tab = compare_tab(tiny_engine(make_prompted()), tmp_path)
    assert tab.rows[0].value == "style" and tab.columns[0].value == "place"
