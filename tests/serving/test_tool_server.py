"""The tools for assistants, called over HTTP by the client of the package mcp."""

import asyncio
import base64
import errno
import io
import json
import math
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from anyio.to_thread import current_default_thread_limiter as limiter_of_all
from PIL import Image

from tests.clients import Client, serving_site
from tests.gated_engine import GatedEngine
from tests.patience import until
from tests.server import running_app
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device, pick_dtype
from var_core.jobs.data_url import png_url
from var_core.jobs.png_recipe import read_png_recipe
from var_core.serving.fair_queue import BusyError, LateError, QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.serving.machine_troubles import ModelGoneError
from var_core.serving.tool_server import ToolServer
from var_core.serving.tools import MAX_VALUES, TOOLS, Tool

APPLE = {"thing": "apple", "style": "noto"}
TOLD = {"name": "describe", "arguments": {}}


def test_without_the_package_the_option_is_one_sentence(
    pipeline: VARPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    with pytest.raises(ValueError, match="needs the package mcp: pip install"):
        ToolServer(engine, str)


def test_the_door_is_closed_unless_it_is_asked_for(url: str) -> None:
    for method, body in (("GET", b""), ("POST", b"{}")):
        assert Client(url).ask(method, "/mcp", body)[0] == 404


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a server with tools."""
    return tmp_path_factory.mktemp("tools") / "log.txt"


@pytest.fixture(scope="module")
def tools(log: Path, small_scenes: Path) -> Iterator[str]:
    """The address of a server with tools."""
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    with running_app(log, "--mcp", "--model", str(small_scenes)) as address:
        yield address
    text = log.read_text()
    assert "Traceback" not in text and '"fault"' not in text


def message(name: object, arguments: object) -> bytes:
    """A call of a tool, as it is sent."""
    params = {"name": name, "arguments": arguments}
    content = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return json.dumps(content).encode()


def call(address: str, name: object, arguments: object) -> tuple[int, str]:
    """Call a tool without the client of the package; status and text of the answer."""
    return Client(address).ask("POST", "/mcp", message(name, arguments), accept="application/json")


def use(address: str, *calls: tuple[str, dict[str, Any]]) -> tuple[list[str], list[Any]]:
    """Names of all tools, and the results of some calls."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def ask() -> tuple[list[str], list[Any]]:
        async with (
            streamable_http_client(f"{address}/mcp") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            names = [tool.name for tool in (await session.list_tools()).tools]
            return names, [await session.call_tool(*call) for call in calls]

    return asyncio.run(ask())


def test_an_assistant_draws_edits_and_learns_what_there_is(
    tools: str, small_scenes: Path, tmp_path: Path
) -> None:
    photo = Image.new("RGB", (64, 64), "white")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    edit = {"picture": png_url(photo), "mask": png_url(mask), "labels": APPLE}
    names, (drawn, edited, told) = use(
        tools,
        ("generate", {"labels": APPLE, "seed": 12, "count": 2}),
        ("edit", edit),
        ("describe", {"search": "apple"}),
    )
    assert names == ["generate", "edit", "describe"]
    first, second, words = drawn.content
    assert (first.mimeType, second.type) == ("image/png", "image") and "seed 13" in words.text
    content = base64.b64decode(first.data)
    (tmp_path / "apple.png").write_bytes(content)
    assert read_png_recipe(tmp_path / "apple.png")["seed"] == 12
    pipeline = VARPipeline.from_pretrained(small_scenes, pick_dtype(pick_device()))
    expected = pipeline([APPLE], generator=generators_from_seeds([12])).images[0]
    shown = Image.open(io.BytesIO(content))
    assert np.array_equal(np.asarray(shown), np.asarray(expected))
    result = np.asarray(Image.open(io.BytesIO(base64.b64decode(edited.content[0].data))))
    assert (result[:8] == 255).all() and (result[24:40, 24:40] != 255).any()
    assert "pineapple, apple" in told.content[0].text


def test_a_wrong_call_is_one_sentence(tools: str) -> None:
    _, results = use(
        tools,
        ("generate", {"labels": {"thing": "aple"}}),
        ("generate", {"seed": -1}),
        ("edit", {"picture": "x", "mask": "x"}),
        ("paint", {}),
    )
    expected = ("the nearest is 'apple'", "from 0 to 4294967295", "base64", "paint")
    for result, words in zip(results, expected, strict=True):
        assert result.isError and words in result.content[0].text


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("generate", {"foo": 1}, "generate takes no 'foo'"),
        ("generate", {"self": 1}, "generate takes no 'self'"),
        ("generate", {"options": {"top_k": 1}}, "generate takes no 'options'"),
        ("edit", {"picture": "", "mask": "", "best_of": 8}, "edit takes no 'best_of'"),
        ("edit", {"picture": ""}, "edit needs mask"),
        ("describe", {"search": 5}, "search must be a text, got 5"),
        ("generate", {"labels": {"thing": ["owl"]}}, "labels must hold names, which are texts"),
        ("generate", {"prompt": None}, "prompt must be a text, got None"),
        ("generate", {"count": True}, "count must be a whole number from 1 to 8, got True"),
    ],
)
def test_arguments_that_a_tool_does_not_take_are_refused_in_a_sentence(
    tools: str, name: str, arguments: dict, words: str
) -> None:
    status, text = call(tools, name, arguments)
    result = json.loads(text)["result"]
    assert status == 200 and result["isError"] and words in result["content"][0]["text"]


def test_the_schema_of_a_tool_says_that_it_takes_nothing_else() -> None:
    assert all(tool.schema["additionalProperties"] is False for tool in TOOLS.values())


def test_wrong_arguments_come_back_short_and_too_many_are_not_looked_at(tools: str) -> None:
    for arguments in ({"labels": "A" * 3_000_000}, {"labels": {"thing": "A" * 3_000_000}}):
        status, text = call(tools, "generate", arguments)
        assert status == 200 and "AAA" in text and len(text) < 1_000
    status, text = call(tools, "n" * 3_000_000, {})
    assert status == 200 and len(text) < 1_000
    many = {"labels": {f"name{number}": "x" for number in range(2 * MAX_VALUES)}}
    status, text = call(tools, "generate", many)
    assert status == 400 and f"at most {MAX_VALUES} values" in text


def test_a_picture_may_be_as_large_for_a_tool_as_elsewhere(tools: str) -> None:
    black = base64.b64encode(bytes(9_000_000)).decode()
    status, text = call(tools, "edit", {"picture": black, "mask": ""})
    assert status == 200 and "not a readable" in text


def test_the_log_holds_no_words_of_assistants(tools: str, log: Path) -> None:
    forged = '{"ts": "now", "level": "error", "event": "forged"}'
    for name in (None, 5, f"x\n{forged}\n", "hidden"):
        call(tools, name, {"prompt": "hidden", "labels": {"thing": "hidden"}})
    text = log.read_text()
    assert "hidden" not in text and "forged" not in text
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    said = [one for one in events if one["event"] == "library"]
    assert said and all(one["where"] and one["level"] == "warning" for one in said)


def test_a_call_stops_within_one_scale_when_its_assistant_leaves(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    engine = GatedEngine(pipeline, QueueLimits(seconds=math.inf))
    tools = ToolServer(engine, str)
    with serving_site(engine, tmp_path, tools=tools) as (url, site), engine.gate.closed():
        connections = site.blocks.server.server_state.connections
        connection = Client(url).connect()
        head = {"content-type": "application/json", "accept": "application/json"}
        connection.request("POST", "/mcp", message("generate", {"count": 2}), head)
        engine.gate.let(1)
        until(lambda: len(engine.steps) == 2)  # the second scale waits
        connection.close()
        until(lambda: not connections)
        assert Client(url).ask("GET", "/healthz")[0] == 200  # the server has taken note
        engine.gate.let(1)
        until(lambda: engine.num_jobs("cancelled") or engine.num_jobs("ok"))
    assert (engine.num_jobs("cancelled"), engine.num_jobs("ok")) == (1, 0)


def answering(
    pipeline: VARPipeline, answer: Callable[..., list], **how: Any
) -> tuple[ToolServer, Callable[[], Any]]:
    """A server whose tools answer in a way, and what calls one."""
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    server = ToolServer(LocalEngine(pipeline.info, lambda dtype: pipeline), **how)
    server._answer = answer
    return server, lambda: server._call(SimpleNamespace(params=SimpleNamespace(**TOLD)))


@pytest.mark.parametrize(
    ("error", "words", "counts"),
    [
        (OSError(errno.ENOSPC, "No space left"), "The disk of this server is full", (1, 0)),
        (MemoryError(), "This server is out of memory", (1, 0)),
        (ModelGoneError("/srv/secret"), "The model cannot be loaded", (1, 0)),
        (KeyError("secret"), "this server failed. Reference: fff", (1, 0)),
        (ValueError("seed must be"), "seed must be", (0, 1)),
        (BusyError("others are waiting"), "others are waiting", (0, 0)),
        (LateError("took longer"), "took longer", (0, 0)),
    ],
)
def test_what_goes_wrong_is_counted_and_troubles_are_logged(
    pipeline: VARPipeline, error: Exception, words: str, counts: tuple[int, int]
) -> None:
    def fail(*_: object) -> list:
        raise error

    faults, refused = [], []
    how = {"fault": lambda one: faults.append(one) or "fff", "refused": lambda: refused.append(1)}
    _, call_one = answering(pipeline, fail, **how)
    result = asyncio.run(call_one()).root
    assert result.isError and words in result.content[0].text
    assert (len(faults), len(refused)) == counts


def test_jobs_of_assistants_take_no_thread_that_others_need(pipeline: VARPipeline) -> None:
    started, ended = [], threading.Event()

    def wait(*_: object) -> list:
        started.append(1)
        ended.wait()
        return []

    limits = QueueLimits(running=1, waiting=40)
    _, call_one = answering(pipeline, wait, fault=str, limits=limits)

    async def ask() -> None:
        free = limiter_of_all().available_tokens
        calls = [asyncio.ensure_future(call_one()) for _ in range(41)]
        try:
            while len(started) < 40:
                await asyncio.sleep(0.01)
            assert limiter_of_all().available_tokens == free
        finally:
            ended.set()
            await asyncio.gather(*calls)

    asyncio.run(ask())
    assert len(started) == 41


def test_arguments_are_checked_while_others_are_served(
    pipeline: VARPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    server = ToolServer(LocalEngine(pipeline.info, lambda dtype: pipeline), str)
    threads: list[threading.Thread] = []
    monkeypatch.setattr(Tool, "check", lambda *_: threads.append(threading.current_thread()))
    sent: list[dict[str, Any]] = []

    async def ask() -> None:
        body = message("describe", {})
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        ended = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(part: Any) -> None:
            sent.append(part)

        names = {b"content-type": b"application/json", b"accept": b"application/json"}
        scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b""}
        await server({**scope, "headers": [*names.items()]}, receive, send, "")

    asyncio.run(ask())
    assert sent[0]["status"] == 200
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


def test_foreign_pages_and_other_methods_are_refused(tools: str) -> None:
    client = Client(tools)
    assert client.ask("GET", "/mcp")[0] == 405
    assert client.ask("POST", "/mcp", b"{}", origin="https://example.org")[0] == 403
    assert client.ask("POST", "/mcp", b"[" * 100)[0] == 400
