"""The server ends when it is told to, whoever still listens."""

import contextlib
import math
from pathlib import Path

import pytest
from gradio.utils import get_heartbeat_rate

from tests.clients import API, Client, serving_site
from tests.gated_engine import GatedEngine
from tests.patience import LIMIT_SECONDS, until
from var_core import VARPipeline
from var_core.serving.fair_queue import QueueLimits
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
