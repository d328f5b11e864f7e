"""The server ends when it is told to, whoever still listens."""

import asyncio
import contextlib
import math
import sys
import types
from pathlib import Path

import pytest
from gradio.utils import get_heartbeat_rate
from uvicorn.config import HTTP_PROTOCOLS

from tests.clients import API, Client, serving, serving_site
from tests.gated_engine import GatedEngine
from tests.patience import LIMIT_SECONDS, until
from var_core import VARPipeline
from var_core.serving.fair_queue import QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.web.server import drain


def test_open_pages_and_streams_hold_no_end_up(
    pipeline: VARPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_HEARTBEAT_INTERVAL", "86400")
    assert get_heartbeat_rate() == 86400
    engine = GatedEngine(pipeline, QueueLimits(seconds=math.inf))
    with serving_site(engine, tmp_path) as (url, site), contextlib.ExitStack() as stack:
        client = Client(url)
        page = stack.enter_context(contextlib.closing(client.connect()))
        page.request("GET", f"{API}/heartbeat/one")
        assert page.getresponse().readline()
        idle = stack.enter_context(contextlib.closing(client.connect()))
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        with engine.gate.closed():
            engine.gate.let(1)
            event = client.call("stream", {}, 1)
            stream = stack.enter_context(contextlib.closing(client.connect()))
            stream.request("GET", f"{API}/call/stream/{event}")
            assert stream.getresponse().readline()
            until(lambda: engine.steps)
            drain(site, engine.queue, 0.1)
            site.blocks.server.thread.join(LIMIT_SECONDS)
            assert not site.blocks.server.thread.is_alive()
            assert not site.blocks.server.server_state.tasks


def test_the_server_is_the_same_where_faster_loops_and_parsers_are_installed(
    pipeline: VARPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages beside us bring uvloop, beside whose own listening nobody else can listen."""
    monkeypatch.setitem(sys.modules, "uvloop", types.ModuleType("uvloop"))  # fails if it is used
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", "uvicorn.protocols.http.httptools_impl:None")
    with serving(LocalEngine(pipeline.info, lambda dtype: pipeline), tmp_path) as (url, blocks):
        assert Client(url).draw(1)
        assert isinstance(blocks.server.servers[0].get_loop(), asyncio.SelectorEventLoop)
        assert blocks.server.config.http_protocol_class.__name__ == "H11Protocol"
    assert HTTP_PROTOCOLS["auto"].endswith(":None")  # ours alone was another
