"""The Draw tab: its controls, and what it makes of a moment of a drawing."""

from pathlib import Path

from tests.web.conftest import tiny_engine
from var_core.pipeline import VARPipeline
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
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
