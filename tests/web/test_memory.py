"""What many visitors leave in a server: the values of the last pages, and nothing else."""

import gc
from pathlib import Path

import gradio as gr
import pytest

from tests.clients import Client, serving
from tests.patience import until
from tests.web.test_hostile_calls import default_values, press
from var_core.serving.local_engine import LocalEngine
from var_core.web import call_queue

PAGES = 3  # that the server keeps
VISITORS = 10
KEPT = {"gradio", "fastapi", "starlette", "var_core", "torch", "PIL"}


def visit(url: str, number: int) -> None:
    """One address: a page that draws, a program that draws, an endpoint, a refusal."""
    client = Client(url, 2 + number)
    press(client, "generate", "click", default_values(client), f"page{number}")
    assert client.draw(number)
    assert client.ask("POST", "/gradio_api/run/about", b'{"data": []}')[0] == 200
    *_, (kind, _) = client.events("generate", client.call("generate", {"emoji": "nobody"}))
    assert kind == "error"


def num_objects(blocks: gr.Blocks) -> int:
    """How many objects of requests, pictures and tokens there are when nothing is under way."""
    queue = blocks._queue
    until(lambda: not queue.event_ids_to_events and not queue.pending_event_ids_session)
    until(lambda: not blocks.server.server_state.connections)
    gc.collect()
    return sum(str(type(one).__module__).split(".")[0] in KEPT for one in gc.get_objects())


def test_further_visitors_leave_nothing_behind(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("var_core.web.server.MAX_SESSIONS", PAGES)
    monkeypatch.setattr(call_queue, "ROUND_SECONDS", 0.01)
    with serving(engine, tmp_path) as (url, blocks):
        for number in range(2 * PAGES):
            visit(url, number)
        before = num_objects(blocks)
        for number in range(VISITORS):
            visit(url, 2 * PAGES + number)
        assert len(blocks.app.state_holder.session_data) == PAGES
        left = num_objects(blocks) - before
        assert left < VISITORS  # less than one of each
