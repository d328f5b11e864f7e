"""Bodies of requests: refused ones are read to their end, so that the refusal can be read."""

import asyncio
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from tests.clients import Client, serving
from tests.patience import LIMIT_SECONDS, until
from var_core import VARPipeline
from var_core.serving import bodies
from var_core.serving.asgi import Message
from var_core.serving.bodies import Body, GoneError, RefusedError
from var_core.serving.client_budget import ClientBudget
from var_core.serving.local_engine import LocalEngine

LARGE = 20_000_000  # bytes, above what a request may have


def body_of(*messages: Message) -> tuple[Body, list[Message]]:
    """A body that has at most ten bytes, and what is left of it."""
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return Body(receive, 10), left


def part(content: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_is_whole_or_refused_and_what_is_left_of_it_is_read() -> None:
    budget = ClientBudget("requests", 100, 100)

    async def scenario() -> None:
        with budget.hold("a") as held:
            whole, _ = body_of(part(b"ab"), part(b"cd", more=False))
            assert await whole.read(held) == b"abcd"
        long, left = body_of(part(b"x" * 6), part(b"x" * 6), part(b"x" * 6), part(b"", more=False))
        with budget.hold("a") as held, pytest.raises(RefusedError) as refused:
            await long.read(held)
        assert refused.value.status == 413
        await long.drop()
        assert not left
        gone, _ = body_of(part(b"ab"), {"type": "http.disconnect"})
        with budget.hold("a") as held, pytest.raises(GoneError):
            await gone.read(held)
        assert budget.held() == 0

    asyncio.run(scenario())


def test_of_an_endless_body_only_so_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_DROPPED_BYTES", 25)
    body, left = body_of(*[part(b"x" * 10) for _ in range(5)])
    asyncio.run(body.drop())
    assert len(left) == 2


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    budget = ClientBudget("requests", 100, 100)

    async def scenario() -> None:
        body = Body(asyncio.Event().wait, 10)  # type: ignore[arg-type]
        with budget.hold("a") as held, pytest.raises(RefusedError) as refused:
            await body.read(held)
        assert refused.value.status == 408
        await body.drop()

    asyncio.run(scenario())


@pytest.fixture
def site(pipeline: VARPipeline, tmp_path: Path) -> Iterator[tuple[str, gr.Blocks, LocalEngine]]:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    with serving(engine, tmp_path) as (url, blocks):
        yield url, blocks, engine


def post(url: str, path: str, *headers: str) -> socket.socket:
    """A connection that has sent the head of a post."""
    place = urllib.parse.urlsplit(url)
    connection = socket.create_connection((place.hostname, place.port), LIMIT_SECONDS)
    lines = (f"POST {path} HTTP/1.1", f"host: {place.netloc}", *headers, "", "")
    connection.sendall("\r\n".join(lines).encode())
    return connection


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("content-type: application/json",), 413),
        (("content-type: text/plain",), 415),
        (("content-type: application/json", "origin: http://evil.example"), 403),
    ],
)
def test_who_sends_too_much_reads_why_it_was_refused(
    site: tuple[str, gr.Blocks, LocalEngine], headers: tuple[str, ...], status: int
) -> None:
    with post(site[0], "/gradio_api/run/about", *headers, f"content-length: {LARGE}") as sender:
        for _ in range(LARGE // 1_000_000):
            sender.sendall(b" " * 1_000_000)
        assert sender.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_who_asks_first_is_told_before_sending(site: tuple[str, gr.Blocks, LocalEngine]) -> None:
    head = ("content-type: application/json", "expect: 100-continue", f"content-length: {LARGE}")
    with post(site[0], "/gradio_api/run/about", *head) as sender:
        assert sender.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", [f"content-length: {LARGE}", "content-length: 9000000"])
def test_a_post_that_is_given_up_leaves_nothing(
    site: tuple[str, gr.Blocks, LocalEngine], length: str
) -> None:
    url, blocks, engine = site
    for _ in range(3):
        with post(url, "/gradio_api/run/about", "content-type: application/json", length) as sender:
            sender.sendall(b" " * 5_000_000)
    until(lambda: not blocks.server.server_state.connections)
    until(lambda: not blocks.server.server_state.tasks)
    assert engine.metrics.registry.get_sample_value(
        "var_studio_refused_total", {"where": "fault"}
    ) in (None, 0)
    assert Client(url).draw(1).startswith("data:image/png")
