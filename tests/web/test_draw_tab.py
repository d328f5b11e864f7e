"""The Draw tab: its controls, and what it makes of a moment of a drawing."""

import itertools
import json
import shutil
import urllib.parse
from dataclasses import replace
from pathlib import Path

from tests.web.conftest import tiny_engine
from var_core.pipeline import VARPipeline
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.draw_handlers import DrawInputs
from var_core.web.draw_tab import DrawTab
from var_core.web.page import Page, Site
from var_core.web.progress import Moment


def draw_tab(engine: LocalEngine, folder: Path) -> DrawTab:
    """The tab, on a page of its own."""
    tabs = []

    def add_tabs(page: Page) -> None:
        tabs.append(DrawTab(page))

    Site([engine], add_tabs, folder, JobMetrics())
    return tabs[0]


def test_every_control_has_a_widget(engine: LocalEngine, tmp_path: Path) -> None:
    tab = draw_tab(engine, tmp_path)
    found = [*tab.controls.box.names, *tab.controls.inputs]
    assert sorted(found) == sorted(tab.handlers.controls.names)


def test_a_model_with_one_attribute_has_a_page_too(
    class_pipeline: VARPipeline, tmp_path: Path
) -> None:
    controls = draw_tab(tiny_engine(class_pipeline), tmp_path).controls
    assert controls.box.names == ("class",)
    assert list(controls.inputs)[:2] == ["count", "seed"]


def test_what_a_moment_leaves_open_stays_as_it_is(engine: LocalEngine, tmp_path: Path) -> None:
    tab = draw_tab(engine, tmp_path)
    assert tab.updates(Moment(status="Scale 1 of 4")) == {tab.stage.status: "Scale 1 of 4"}
    assert tab.updates(Moment(stage="{}")) == {tab.stage.view: "{}"}


def test_stop_shows_nothing_of_the_drawing_before(engine: LocalEngine, tmp_path: Path) -> None:
    tab = draw_tab(engine, tmp_path)
    controls = tab.controls
    values = {
        **controls.updates(controls.controls.defaults(), True),
        tab.stage.progress: None,
        tab.stage.reached: 0,
    }

    def take(steps: int) -> None:
        for update in itertools.islice(tab.draw("pictures", values, {}), steps):
            values.update({widget: update[widget] for widget in update if widget in values})

    take(3)  # its start, and two of four scales
    stopped = tab.stopped(values)
    assert stopped[tab.stage.status] == "Stopped after scale 2 of 4"
    take(1)
    assert values[tab.stage.progress] is not None  # the drawing before, which is shown again
    stopped = tab.stopped(values)
    assert "nothing" in stopped[tab.stage.status] and '"nothing":true' in stopped[tab.stage.view]


def test_a_png_of_kept_scales_shows_where_it_is_drawn(engine: LocalEngine, tmp_path: Path) -> None:
    tab = draw_tab(engine, tmp_path)
    inputs = DrawInputs(tab.handlers.controls.defaults())
    *_, last = tab.handlers.stream(tab.handlers.order("pictures", inputs))
    half = replace(inputs, progress=last.progress, scale=2)
    *_, last = tab.handlers.stream(tab.handlers.order("rest", half))
    upload = tmp_path / "upload" / "kept.png"
    upload.parent.mkdir()
    lines = [json.loads(line) for line in last.stage.splitlines()]
    url = next(one["files"][0][0] for one in lines if "files" in one)
    shutil.copy(urllib.parse.unquote(url).split("file=")[1], upload)
    shown = [widget for update in tab.restore({tab.drop: str(upload)}) for widget in update]
    assert tab.page.tabs in shown
