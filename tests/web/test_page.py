"""The site as gradio sees it: pages, tabs, events and endpoints around a tiny model."""

from dataclasses import replace
from pathlib import Path

import pytest
from gradio.block_function import BlockFunction

import app
from tests.web.conftest import tiny_engine
from var_core.pipeline import VARPipeline
from var_core.serving.fair_queue import MAX_WAITING, QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.page import Site

DRAWING = {
    *("generate", "stage", "compare-draw", "sheet"),
    *("redraw-mask", "try-again", "vary", "painter"),
    *("source", "inside", "drop"),
}
ENDPOINTS = (
    "about compare edit exchange generate look_inside outpaint recipe redraw stream tokenize vary"
)


@pytest.fixture
def site(engine: LocalEngine, tmp_path: Path) -> Site:
    return Site([engine], app.add_tabs, tmp_path, JobMetrics())


@pytest.mark.parametrize("max_waiting", [1, QueueLimits.waiting, MAX_WAITING])
def test_a_full_queue_leaves_threads_for_calls_that_answer_at_once(
    engine: LocalEngine, tmp_path: Path, max_waiting: int
) -> None:
    site = Site([engine], app.add_tabs, tmp_path, JobMetrics(), max_waiting=max_waiting)
    assert site.num_threads >= QueueLimits.running + max_waiting + 8
    assert site.blocks._queue.max_size == site.num_threads


def triggers(site: Site, function: BlockFunction) -> set[tuple[str, str]]:
    """(id of the element, event) of everything that sets a function off."""
    found = set()
    for block_id, event in function.targets:
        block = site.blocks.blocks.get(block_id)
        found.add((getattr(block, "elem_id", None) or "", event))
    return found


def test_all_events_that_draw_reach_the_queue_of_the_engine_and_bypass_is_closed(
    site: Site,
) -> None:
    stage = {"again", "vary", "rest", "prompt", "open_link"}
    events = {"click", "draw_on", "upload", "outpaint", *stage}
    drawing = {}
    for function in site.blocks.fns.values():
        for element, event in triggers(site, function):
            if element in DRAWING and event in events:
                drawing[element, event] = function
    assert {element for element, _ in drawing} == DRAWING
    assert {event for element, event in drawing if element == "stage"} == stage
    public = [one for one in site.blocks.fns.values() if one.api_visibility == "public"]
    queued = [one for one in public if one.api_name not in ("recipe", "about")]
    assert len(queued) == 10
    every = [*drawing.values(), *queued]
    assert {function.concurrency_limit for function in every} == {None}
    assert all(function.queue for function in every)
    assert site.blocks.api_open is False


def test_the_row_of_tabs_holds_tabs_alone(site: Site) -> None:
    labels = [getattr(child, "label", None) for child in site.pages[0].tabs.children]
    # anything else would shift the buttons of gradio
    assert labels == ["Draw", "Compare", "Look inside", "How it works"]


def test_only_the_api_is_public(site: Site) -> None:
    public = {one.api_name for one in site.blocks.fns.values() if one.api_visibility == "public"}
    assert sorted(public) == ENDPOINTS.split()


def test_each_model_has_a_page_and_endpoints_of_its_own(
    engine: LocalEngine, class_pipeline: VARPipeline, tmp_path: Path
) -> None:
    other = tiny_engine(class_pipeline)
    other.info = replace(other.info, name="var-d16")
    site = Site([engine, other], app.add_tabs, tmp_path, JobMetrics())
    assert site.names == ["tiny", "var-d16"]
    assert [path for path, _, _ in site.blocks.pages] == ["", "var-d16"]
    public = {one.api_name for one in site.blocks.fns.values() if one.api_visibility == "public"}
    assert public == {p + name for p in ("", "var_d16_") for name in ENDPOINTS.split()}
