"""The Edit tab: what happens to pictures that are sent to it."""

from pathlib import Path

import pytest
from PIL import Image

from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_tab import EditTab
from var_core.web.label_choices import ANY
from var_core.web.page import Page, Site


def edit_tab(engine: LocalEngine, folder: Path) -> EditTab:
    """The tab, on a page of its own."""
    tabs = []

    def add_tabs(page: Page) -> None:
        tabs.append(EditTab(page, DrawTab(page)))

    Site([engine], add_tabs, folder, JobMetrics())
    return tabs[0]


@pytest.fixture
def tab(engine: LocalEngine, tmp_path: Path) -> EditTab:
    return edit_tab(engine, tmp_path)


def assert_fresh(tab: EditTab, updates: dict) -> None:
    """Nothing of the picture before is left: no result, no label that decides what is drawn."""
    assert [updates[one] for one in (tab.stage, tab.comparison, tab.result)] == [None] * 3
    assert "<img" not in updates[tab.strip]
    assert [updates[one] for one in tab.labels.values()] == [ANY] * len(tab.labels)
    assert set(updates) <= {*tab.opened}


def test_its_labels_and_seed_are_its_own_and_the_options_those_of_draw(tab: EditTab) -> None:
    assert sorted(tab.inputs) == sorted(tab.handlers.controls.names)
    ids = {name: widget.elem_id for name, widget in tab.inputs.items()}
    assert (ids["emoji"], ids["seed"], ids["top_p"]) == ("edit-emoji", "edit-seed", "top_p")


def test_an_upload_is_copied_and_deleted(tab: EditTab, tmp_path: Path) -> None:
    upload = tmp_path / "mine.png"
    Image.new("RGB", (40, 30), "teal").save(upload)
    updates = tab.open_upload({tab.board.open: str(upload)})
    canvas = updates[tab.board.canvas]
    assert not upload.exists() and canvas.path.is_file()
    painter = updates[tab.board.painter]
    assert (painter["value"], painter["full"], painter["model"]) == (
        "",
        (40, 30),
        tab.info.image_size,
    )
    assert updates[tab.status].startswith("40x30 pixels")
    assert_fresh(tab, updates)


@pytest.mark.parametrize("keep", [True, False])
def test_a_result_becomes_the_input_with_or_without_the_mask(
    tab: EditTab, tmp_path: Path, keep: bool
) -> None:
    path = tmp_path / "mine.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    canvas, _ = tab.handlers.open(str(path))
    values = {tab.result: canvas, tab.board.painter: "runs", tab.keep_mask: keep}
    updates = tab.take_result(values)
    assert updates[tab.board.canvas] == canvas
    assert updates[tab.board.painter]["value"] == ("runs" if keep else "")
    assert_fresh(tab, updates)


def test_an_edit_takes_the_result_of_the_run_before_away_first(
    tab: EditTab, tmp_path: Path
) -> None:
    path = tmp_path / "mine.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    canvas, _ = tab.handlers.open(str(path))
    defaults = tab.handlers.controls.defaults()
    values = {widget: defaults[name] for name, widget in tab.inputs.items()}
    values |= {tab.board.canvas: canvas, tab.board.painter: "", tab.keep_seed: True}
    values |= dict.fromkeys(tab.sides.values(), 8)
    values |= {tab.keep_scales: 1, tab.best_of: 1}
    first, *_, last = tab.edit("outpaint", values)
    assert first == {tab.result: None, tab.comparison: None}
    assert last[tab.result].size == (56, 46) and "what fits the rest" in last[tab.status]
