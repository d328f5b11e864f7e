"""Editing: pictures that are sent to it, and the versions of what it makes of them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_labels, make_tokenizer, make_transformer
from tests.web.conftest import tiny_engine
from var_core import VARPipeline
from var_core.jobs.mask_codec import write_runs
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_mode import EditMode
from var_core.web.edit_versions import Versions
from var_core.web.label_choices import ANY
from var_core.web.orders import Order, order_request
from var_core.web.page import Page, Site


def edit_mode(engine: LocalEngine, folder: Path) -> EditMode:
    """The tab, on a page of its own."""
    tabs = []

    def add_tabs(page: Page) -> None:
        tabs.append(EditMode(page, DrawTab(page)))

    Site([engine], add_tabs, folder, JobMetrics())
    return tabs[0]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> EditMode:
    pipeline = VARPipeline(make_tokenizer(), make_transformer(), make_labels())
    return edit_mode(tiny_engine(pipeline), tmp_path_factory.mktemp("edits"))


def opened(tab: EditMode, folder: Path, versions: Versions | None = None, mask: str = "") -> dict:
    """What the page shows after a picture was opened, with a mask on the one before."""
    upload = folder / "upload" / "mine.png"  # both are deleted
    upload.parent.mkdir()
    Image.new("RGB", (40, 30), "teal").save(upload)
    before = versions or Versions()
    values = {tab.board.open: str(upload), tab.board.versions: before, tab.board.painter: mask}
    return tab.open_upload(values)


def painted() -> str:
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:20] = True
    return write_runs(mask)


def edits(
    tab: EditMode, task: str, versions: Versions, mask: str = "", data: object = None
) -> Iterator[dict]:
    """The updates of an edit."""
    defaults = tab.handlers.controls.defaults()
    ask = tab.page.ask
    values = {widget: defaults[name] for name, widget in ask.inputs.items()}
    values[ask.box.widget] = ask.box.pack(defaults)
    values |= {tab.board.versions: versions, tab.board.painter: mask, tab.page.ask.keep_seed: True}
    values |= {tab.keep_scales: 1, tab.best_of: 1}
    return tab.edit(task, values, data)


def edited(tab: EditMode, *asked: object, **named: object) -> list[dict]:
    """All updates of an edit that ends well."""
    return list(edits(tab, *asked, **named))


def go(tab: EditMode, versions: Versions, number: object, mask: str = "") -> dict:
    values = {tab.board.versions: versions, tab.board.painter: mask}
    return tab.board.go(values, SimpleNamespace(_data={"number": number}))


def scene(tab: EditMode, updates: dict) -> dict:
    return updates[tab.board.painter]["scene"]


def test_an_upload_is_copied_and_deleted_and_labels_start_anew(
    tab: EditMode, tmp_path: Path
) -> None:
    updates = opened(tab, tmp_path)
    canvas = updates[tab.board.versions].here.canvas
    assert not (tmp_path / "upload" / "mine.png").exists() and canvas.path.is_file()
    shown = scene(tab, updates)
    assert (shown["mask"], shown["full"], shown["model"]) == ("", (40, 30), tab.info.image_shape)
    assert (shown["before"], shown["undo"], shown["redo"]) == ("", None, None)
    assert updates[tab.status].startswith("Opened, 40x30 pixels")
    box = tab.page.ask.box
    assert set(box.values(updates[box.widget]).values()) == {ANY}
    assert set(updates) <= {*tab.opened}


def test_a_result_takes_the_place_of_the_picture(tab: EditMode, tmp_path: Path) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    sides = dict.fromkeys(("left", "top", "right", "bottom"), 8)
    first, *forming, last = edited(tab, "outpaint", versions, data=sides)
    assert first[tab.board.painter]["forming"] == "wait"
    assert all(one[tab.board.painter]["forming"].startswith("data:image/jpeg") for one in forming)
    shown = scene(tab, last)
    assert shown["full"] == (56, 46) and last[tab.board.painter]["forming"] == ""
    assert shown["mask"] is None and shown["place"] == [8, 8]  # what is painted meanwhile is kept
    assert (shown["undo"], shown["redo"], len(shown["versions"])) == (0, None, 2)
    assert "what fits the rest" in last[tab.status]


def test_whole_edits_are_undone_redone_and_tried_again_with_their_masks(
    tab: EditMode, tmp_path: Path
) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    versions = edited(tab, "redraw", versions, painted())[-1][tab.board.versions]
    back = go(tab, versions, versions.undone, mask="")
    assert scene(tab, back)["mask"] == painted()
    forth = go(tab, back[tab.board.versions], back[tab.board.versions].redone, mask=painted())
    assert scene(tab, forth)["current"] == 1 and scene(tab, forth)["before"]
    again = edited(tab, "again", forth[tab.board.versions])[-1][tab.board.versions]
    assert [one.parent for one in again.all] == [None, 0, 0]
    assert (again.here.number, again.here.edit) == (2, versions.here.edit)
    assert again.go(0).redone == 2  # the newest one


def test_another_picture_loses_no_version_of_the_one_before(tab: EditMode, tmp_path: Path) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    versions = edited(tab, "vary", versions)[-1][tab.board.versions]
    updates = opened(tab, tmp_path, versions)
    versions = updates[tab.board.versions]
    assert [one.parent for one in versions.all] == [None, 0, None] and versions.current == 2
    assert versions.undone is None and scene(tab, updates)["before"] == ""
    assert scene(tab, go(tab, versions, 1))["current"] == 1


def test_what_is_painted_comes_back_after_another_picture_was_opened(
    tab: EditMode, tmp_path: Path
) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    versions = opened(tab, tmp_path, versions, painted())[tab.board.versions]
    assert scene(tab, go(tab, versions, 0))["mask"] == painted()
    stage, controls = tab.draw.stage, tab.handlers.controls
    request = order_request(controls, Order(controls.defaults()))
    values = {tab.board.versions: versions, tab.board.painter: painted()}
    values[stage.progress] = list(tab.page.engine.generate(request))[-1]
    drawn = tab.open_drawn(values, gr.EventData(None, {"place": 0, "scale": 1, "run": 1}))
    assert scene(tab, go(tab, drawn[tab.board.versions], 1))["mask"] == painted()


@pytest.mark.parametrize("task", ["outpaint", "vary", "again"])
def test_every_edit_keeps_what_was_painted_before_it(
    tab: EditMode, tmp_path: Path, task: str
) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    if task == "again":
        versions = edited(tab, "vary", versions)[-1][tab.board.versions]
    here = versions.current
    data = dict.fromkeys(("left", "top", "right", "bottom"), 8)
    first, *_, last = edited(tab, task, versions, painted(), data)
    assert scene(tab, go(tab, last[tab.board.versions], here))["mask"] == painted()
    opens = opened(tab, tmp_path, first[tab.board.versions])  # which ends the edit
    assert scene(tab, go(tab, opens[tab.board.versions], here))["mask"] == painted()


@pytest.mark.parametrize("number", [7, -1, None, "0", True, 0.0])
def test_a_version_that_is_not_there_is_refused(
    tab: EditMode, tmp_path: Path, number: object
) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    with pytest.raises(ValueError, match="there is no version"):
        go(tab, versions, number)


@pytest.mark.parametrize("task", ["redraw", "outpaint", "vary", "again"])
def test_without_a_picture_the_buttons_say_so(tab: EditMode, task: str) -> None:
    with pytest.raises(ValueError, match="there is no picture yet"):
        edited(tab, task, Versions())


def test_what_was_never_done_is_not_done_again(tab: EditMode, tmp_path: Path) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    with pytest.raises(ValueError, match="nothing to try again"):
        edited(tab, "again", versions)


def test_an_edit_that_fails_gives_the_painted_area_back(tab: EditMode, tmp_path: Path) -> None:
    versions = opened(tab, tmp_path)[tab.board.versions]
    versions.here.canvas.path.unlink()
    forming = []
    with pytest.raises(ValueError, match="open it again"):
        for one in edits(tab, "redraw", versions, painted()):
            forming.append(one[tab.board.painter]["forming"])
    assert forming == ["wait", ""]
