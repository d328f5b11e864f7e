"""The tab Look inside: what happens to pictures that are sent to it."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from var_core.jobs.parsing import count_up, read_settings
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.canvas import Canvas
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_mode import EditMode
from var_core.web.edit_versions import Version, Versions
from var_core.web.inside_tab import InsideTab
from var_core.web.page import Page, Site


@pytest.fixture
def tab(engine: LocalEngine, tmp_path: Path) -> InsideTab:
    tabs = []

    def add_tabs(page: Page) -> None:
        draw = DrawTab(page)
        tabs.append(InsideTab(page, draw, EditMode(page, draw)))

    Site([engine], add_tabs, tmp_path, JobMetrics())
    return tabs[0]


@pytest.mark.parametrize("is_picture", [True, False])
def test_an_upload_is_not_kept(tab: InsideTab, tmp_path: Path, is_picture: bool) -> None:
    upload = tmp_path / "mine.png"
    upload.write_text("no picture")
    values = {tab.source: str(upload), tab.draw.stage.progress: None}
    if is_picture:
        Image.new("RGB", (40, 30), "teal").save(upload)
        assert "PSNR" in tab.open(values)[tab.report]
    else:
        with pytest.raises(ValueError, match="not a readable"):
            tab.open(values)
    assert not upload.exists()


def test_the_tab_looks_at_once_into_what_was_drawn(tab: InsideTab, engine: LocalEngine) -> None:
    stage, settings = tab.draw.stage, read_settings(engine.info, {"emoji": "cat"}, 3, None)
    progress = list(engine.generate(count_up(settings, 2)))[-1]
    values = {tab.beside: None, stage.progress: None, stage.selected: 1}
    assert tab.view not in tab.take_new(values)  # nothing was drawn
    values[stage.progress] = progress
    shown = tab.take_new(values)
    assert shown[tab.view].inside.wish == progress.wishes[1]
    values[tab.beside] = shown[tab.beside]
    values[stage.progress] = replace(progress, latents=())  # its sketches have become true decodes
    assert tab.view not in tab.take_new(values)  # what is shown stays
    half = replace(
        progress, frames=progress.frames[:2], token_maps=progress.token_maps[:2], number=2
    )
    seen = tab.take_new({**values, stage.progress: half})  # while it formed
    assert tab.view in tab.take_new({**values, tab.beside: seen[tab.beside]})
    again = list(engine.generate(count_up(settings, 2)))[-1]
    assert tab.view in tab.take_new({**values, stage.progress: again})
    sent = tab.take_drawn(values, gr.EventData(None, {"place": 0, "scale": 4}))
    assert sent[tab.view].inside.wish == progress.wishes[0] and tab.page.tabs in sent


def test_an_edited_picture_is_looked_into_as_it_is_seen(
    tab: InsideTab, engine: LocalEngine, tmp_path: Path
) -> None:
    stage, settings = tab.draw.stage, read_settings(engine.info, {"emoji": "cat"}, 3, None)
    progress = list(engine.generate(count_up(settings, 2)))[-1]
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "edited.png")
    versions = Versions().added(Version(Canvas(tmp_path / "edited.png", (40, 30)), "edited"))
    values = {stage.progress: progress, tab.versions: versions}
    sent = tab.take_drawn(values, gr.EventData(None, {"place": 1, "version": 0}))
    assert "PSNR" in sent[tab.report] and "cat" in sent[tab.report]
    assert sent[tab.view].inside.wish == progress.wishes[1]
    plain = tab.take_drawn(values, gr.EventData(None, {"place": 1}))
    assert plain[tab.view].content != sent[tab.view].content
    with pytest.raises(ValueError, match="no version 7"):
        tab.take_drawn(values, gr.EventData(None, {"place": 1, "version": 7}))


def test_drawing_on_shows_the_result_in_the_draw_tab(tab: InsideTab, engine: LocalEngine) -> None:
    draw, settings = tab.draw, read_settings(engine.info, {"emoji": "cat"}, 3, None)
    progress = list(engine.generate(count_up(settings, 1)))[-1]
    view = tab.handlers.look(progress, 0)
    values = {widget: widget.value for widget in draw.given}
    values |= {draw.stage.progress: None, tab.view: view}
    event = gr.EventData(None, {"scale": 2, "row": 1, "column": 0, "token": 9})
    first, *_, last = tab.draw_on(values, event)
    assert tab.page.tabs in first
    drawn = last.get(draw.stage.progress)
    assert drawn.token_maps[1][0, 1, 0] == 9 and drawn.wishes == progress.wishes


@pytest.mark.parametrize("data", [None, [], "scale", {}, {"scale": 1}, {"scale": {}, "row": []}])
def test_events_that_tell_nothing_are_refused(
    tab: InsideTab, engine: LocalEngine, data: object
) -> None:
    settings = read_settings(engine.info, {"emoji": "cat"}, 3, None)
    view = tab.handlers.look(list(engine.generate(count_up(settings, 1)))[-1], 0)
    event = gr.EventData(None, data)
    with pytest.raises(ValueError, match="must be"):
        tab.ask({tab.view: view}, event)
    with pytest.raises(ValueError, match="must be"):
        next(tab.draw_on({tab.view: view}, event))
