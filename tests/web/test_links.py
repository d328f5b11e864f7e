"""Links: what the page does with them, and with those that cannot be read whole."""

from pathlib import Path

import gradio as gr
import pytest

from tests.web.conftest import tiny_engine
from tests.web.test_compare_tab import compare_tab
from var_core import VARPipeline
from var_core.jobs.progress import JobProgress
from var_core.serving.local_engine import LocalEngine
from var_core.web.compare_tab import CompareTab
from var_core.web.controls import Controls
from var_core.web.events import Updates
from var_core.web.orders import read_order, use_of_link

SHEET = {"rows": "seed", "rows_values": "1, 2", "columns": "style", "columns_values": "3d"}
WRONG_SHEETS = [
    {**SHEET, "rows": "nothing"},
    {"rows": "seed", "rows_values": "1, 2"},
    {"columns": "seed", "columns_values": "1, 2"},
    {"rows_values": "1, 2"},
    {**SHEET, "rows_values": "much"},
]


@pytest.fixture
def tab(engine: LocalEngine, tmp_path: Path) -> CompareTab:
    """The tab Compare beside the tab Draw."""
    return compare_tab(engine, tmp_path)


def open_link(tab: CompareTab, query: dict[str, str], where: str = "compare") -> list[Updates]:
    """All that a tab shows of a link."""
    opener = tab if where == "compare" else tab.draw
    return list(opener.open_link(gr.EventData(None, {"query": query})))


@pytest.mark.parametrize("wrong", [{"emoji": "cow"}, {"kept": "nAAAA"}, {"top_p": "2"}])
def test_of_a_link_with_something_wrong_nothing_is_drawn(tab: CompareTab, wrong: dict) -> None:
    (shown,) = open_link(tab, {"style": "3d", "seed": "1", **wrong}, "draw")
    assert shown[tab.draw.stage.status].startswith("The link")
    assert shown[tab.draw.controls.inputs["seed"]] == 1  # what is right stands in its widget
    assert tab.draw.stage.view not in shown and tab.draw.stage.progress not in shown


@pytest.mark.parametrize("query", WRONG_SHEETS)
def test_of_a_sheet_with_a_wrong_side_nothing_is_drawn(tab: CompareTab, query: dict) -> None:
    (shown,) = open_link(tab, query)
    assert shown[tab.status].startswith("The link was read in part: ")
    assert tab.view not in shown and tab.progress not in shown


def test_a_sheet_needs_no_seed(tab: CompareTab) -> None:
    *_, last = open_link(tab, SHEET)
    progress = last[tab.progress]
    assert isinstance(progress, JobProgress) and progress.request.seeds == (1, 2)
    with pytest.raises(ValueError, match="names no sheet"):
        open_link(tab, {"seed": "1"})


@pytest.mark.parametrize(
    ("query", "use"),
    [
        ({}, ""),
        ({"__theme": "dark", "utm_source": "x"}, ""),
        ({"emoji": "cat"}, "show"),
        ({"tab": "edit"}, "show"),
        ({"seed": "1"}, "draw"),
        (SHEET, "draw"),
        ({"emoji": "cow", "seed": "1"}, "say"),
        ({"kept": "nAAAA"}, "say"),
        *((query, "say") for query in WRONG_SHEETS),
    ],
)
def test_a_page_draws_a_link_only_if_it_can_be_read_whole(
    pipeline: VARPipeline, query: dict[str, str], use: str
) -> None:
    controls = Controls(tiny_engine(pipeline).info)
    _, refused = read_order(controls, query)
    assert use_of_link(controls, query, refused) == use
