"""The tools for assistants, called over HTTP by the client of the package mcp."""

import asyncio
import base64
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.clients import Client
from tests.server import running_app
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device, pick_dtype
from var_core.jobs.data_url import png_url
from var_core.jobs.png_recipe import read_png_recipe
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.local_engine import LocalEngine
from var_core.serving.tool_server import ToolServer

APPLE = {"emoji": "red apple", "style": "noto"}


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
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with tools."""
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    log = tmp_path_factory.mktemp("tools") / "log.txt"
    with running_app(log, "--mcp") as address:
        yield address
    assert "Traceback" not in log.read_text()


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


def test_an_assistant_draws_edits_and_learns_what_there_is(tools: str, tmp_path: Path) -> None:
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
    pipeline = VARPipeline.from_pretrained(EMBEDDED_FOLDER, pick_dtype(pick_device()))
    expected = pipeline([APPLE], generator=generators_from_seeds([12])).images[0]
    shown = Image.open(io.BytesIO(content))
    assert np.array_equal(np.asarray(shown), np.asarray(expected))
    result = np.asarray(Image.open(io.BytesIO(base64.b64decode(edited.content[0].data))))
    assert (result[:8] == 255).all() and (result[24:40, 24:40] != 255).any()
    assert "red apple, green apple" in told.content[0].text


def test_a_wrong_call_is_one_sentence(tools: str) -> None:
    _, results = use(
        tools,
        ("generate", {"labels": {"emoji": "red aple"}}),
        ("generate", {"seed": -1}),
        ("edit", {"picture": "x", "mask": "x"}),
        ("paint", {}),
    )
    for result, words in zip(
        results, ("the nearest is 'red apple'", "minimum", "base64", "paint"), strict=True
    ):
        assert result.isError and words in result.content[0].text


def test_foreign_pages_and_other_methods_are_refused(tools: str) -> None:
    client = Client(tools)
    assert client.ask("GET", "/mcp")[0] == 405
    assert client.ask("POST", "/mcp", b"{}", origin="https://example.org")[0] == 403
    assert client.ask("POST", "/mcp", b"[" * 100)[0] == 400
