"""Calls that no page would make end in a refusal, and never as a fault of the server."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import fastapi
import gradio as gr
import pytest
from gradio.block_function import BlockFunction

import app
from tests.clients import API, Client, serving
from tests.patience import until
from var_core.serving.local_engine import LocalEngine
from var_core.web.call_queue import MAX_CALLS, CallQueue
from var_core.web.page import Site
from var_core.web.sessions import PageState

FILE = {"path": "/nowhere", "meta": {"_type": "gradio.FileData"}}
ODD = (None, True, -1, 1.5, "x", "", [], {}, [None], {"a": {"b": 1}}, 10**30, "\0", FILE, [FILE])
TOLD = ("place", "scale", "run", "number", "query", "row", "column", "token", "left")
EVENTS = (None, {}, [], "x", 3, {"place": 0, "scale": {}, "number": [], "query": 3})
SCOPE = {"type": "http", "client": ("127.0.0.9", 1), "headers": [], "query_string": b""}
MOST_STEPS = 30  # of a handler that draws; more do not come


def num_faults(engine: LocalEngine) -> int:
    labels = {"where": "fault"}
    return int(engine.metrics.registry.get_sample_value("var_studio_refused_total", labels) or 0)


async def call(blocks: gr.Blocks, function: BlockFunction, values: list, told: object) -> None:
    """Call a function as gradio's routes do, until it has given all its values."""
    state, iterator = PageState(blocks), None
    for _ in range(MOST_STEPS):
        try:
            said = await blocks.process_api(
                function,
                values,
                state=state,
                iterator=iterator,
                request=gr.Request(fastapi.Request(SCOPE)),
                event_data=gr.EventData(None, told),
                event_id="e",
            )
        except gr.Error:
            return
        iterator = said.get("iterator")
        if not said.get("is_generating"):
            return


def test_no_value_and_no_event_is_a_fault_of_the_server(
    engine: LocalEngine, tmp_path: Path
) -> None:
    blocks = Site([engine], app.add_tabs, tmp_path, engine.metrics).blocks

    # several buttons may share what they do
    handlers = {getattr(one.fn, "__code__", None): one for one in blocks.fns.values()}
    engine.queue.close()  # values are judged before anybody draws

    async def all_calls() -> None:
        for function in filter(lambda one: one.fn is not None, handlers.values()):
            defaults = [getattr(one, "value", None) for one in function.inputs]
            for told in EVENTS:
                await call(blocks, function, list(defaults), told)
            for odd in ODD:
                await call(blocks, function, [odd] * len(defaults), None)
                for place in range(len(defaults)):
                    values = [*defaults[:place], odd, *defaults[place + 1 :]]
                    await call(blocks, function, values, dict.fromkeys(TOLD, odd))
            assert num_faults(engine) == 0, function.fn

    asyncio.run(all_calls())


@pytest.fixture
def site(engine: LocalEngine, tmp_path: Path) -> Iterator[tuple[Client, gr.Blocks, LocalEngine]]:
    with serving(engine, tmp_path) as (url, blocks):
        yield Client(url), blocks, engine


def test_a_call_of_nothing_is_refused_at_the_door(
    site: tuple[Client, gr.Blocks, LocalEngine],
) -> None:
    client, blocks, engine = site
    silent = [number for number, one in blocks.fns.items() if one.fn is None]
    private = [one.api_name for one in blocks.fns.values() if one.api_visibility == "private"]
    assert silent and private
    for number in (*silent, 999, None):
        body = {"data": [], "fn_index": number, "session_hash": "s"}
        for door in ("queue/join", "run/predict"):
            status, text = client.ask("POST", f"{API}/{door}", json.dumps(body).encode())
            assert (status == 400 and "no such function" in text) or "no endpoint" in text
    for name in ("nothing", private[0], "a%20b", "x" * 500):
        for door in ("run", "call", "call/v2"):
            status, text = client.ask("POST", f"{API}/{door}/{name}", b'{"data": []}')
            assert status == 400 and "there is no endpoint" in text, (door, name)
    for fields, words in (({"nothing": 1}, "takes no"), ({"seed": 1}, "needs labels")):
        status, text = client.ask("POST", f"{API}/call/v2/generate", json.dumps(fields).encode())
        assert status == 400 and words in text
    assert client.ask("POST", f"{API}/call/v2/generate", b'{"labels": {}}')[0] == 200
    assert num_faults(engine) == 0


def test_odd_addresses_are_no_faults(site: tuple[Client, gr.Blocks, LocalEngine]) -> None:
    client, _, engine = site
    ends = (
        "",
        "?page=x",
        "?deep_link=../x",
        "?session_hash=",
        "?all_endpoints=1",
        "%00",
        "/x",
        "?%ff",
    )
    paths = ("", "config", "theme.css", "pwa_icon", "pwa_icon/9", "manifest.json", "robots.txt")
    doors = ("info", "app_id", "queue/data", "queue/status", "call/x", "call/x/y")
    for path in (*paths, *(f"gradio_api/{door}" for door in doors), "gradio_api/file="):
        for end in ends:
            for method in ("GET", "HEAD"):
                if not path.endswith(("queue/data", "call/x/y")) or method == "HEAD" or not end:
                    status, text = client.ask(method, f"/{path}{end}")
                    assert status < 500, (method, path, end, text)
                    assert not re.search(r"Reference: \w", text), (method, path, end)
    assert num_faults(engine) == 0


def test_calls_with_and_without_the_queue_count_together(
    site: tuple[Client, gr.Blocks, LocalEngine],
) -> None:
    client, blocks, engine = site
    calls = blocks._queue
    assert isinstance(calls, CallQueue)
    direct = next(number for number, one in blocks.fns.items() if one.fn and not one.queue)
    body = json.dumps({"data": [], "fn_index": direct, "session_hash": "s"}).encode()
    other = Client(f"http://{client.place}", 2)
    with contextlib.ExitStack() as under_way:
        for _ in range(MAX_CALLS):
            under_way.enter_context(calls.direct("127.0.0.1", 10))
        for door in ("run/predict", "queue/join"):
            status, text = client.ask("POST", f"{API}/{door}", body)
            assert status == 503 and "too many of your calls" in text, (door, text)
            assert other.ask("POST", f"{API}/{door}", body)[0] != 503
    assert client.ask("POST", f"{API}/run/predict", body)[0] != 503
    assert until(lambda: calls._direct == [])  # an answer is sent before its call is over
    assert num_faults(engine) == 0
