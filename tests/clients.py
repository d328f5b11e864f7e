"""Visitors of a running server, down to the bytes that they send."""

import asyncio
import contextlib
import http.client
import json
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

import app
from tests.patience import LIMIT_SECONDS
from tests.server import free_port
from var_core.serving.local_engine import LocalEngine
from var_core.serving.tool_server import ToolServer
from var_core.web.page import Site
from var_core.web.server import launch

API = "/gradio_api"


@contextlib.contextmanager
def serving(
    engine: LocalEngine, folder: Path, num_proxies: int = 0
) -> Iterator[tuple[str, gr.Blocks]]:
    """The app around an engine of this process; its address and its blocks.

    Args:
        engine: engine that draws.
        folder: folder for uploads and pictures.
        num_proxies: trusted proxies in front of it.
    """
    with serving_site(engine, folder, num_proxies) as (url, site):
        yield url, site.blocks


@contextlib.contextmanager
def serving_site(
    engine: LocalEngine, folder: Path, num_proxies: int = 0, tools: ToolServer | None = None
) -> Iterator[tuple[str, Site]]:
    """As `serving`, for those who need the site, or tools for assistants."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    site = Site([engine], app.add_tabs, folder, engine.metrics, num_proxies)
    port = free_port()
    launch(site, "127.0.0.1", port, tools)
    try:
        yield f"http://127.0.0.1:{port}", site
    finally:
        site.blocks.close(verbose=False)
        os.environ.pop("GRADIO_TEMP_DIR")
        if before is not None:
            os.environ["GRADIO_TEMP_DIR"] = before


@contextlib.contextmanager
def served(engine: LocalEngine, folder: Path, num_proxies: int = 0) -> Iterator[str]:
    """As `serving`, for those who need the address alone."""
    with serving(engine, folder, num_proxies) as (url, _):
        yield url


def num_alive(blocks: gr.Blocks) -> int:
    """How many events run whose clients the server still believes to be there."""
    jobs = list(blocks._queue.active_jobs)
    return sum(event.alive for events in jobs if events for event in events)


def num_cancelling(blocks: gr.Blocks) -> int:
    """How many runs the server was asked to stop and has not ended yet."""
    loop = blocks.server.servers[0].get_loop()
    return sum(task.cancelling() > 0 for task in asyncio.all_tasks(loop))


class Client:
    """A visitor with an address of its own on the loopback network.

    Args:
        url: address of the server.
        number: last byte of the visitor's address, 127.0.0.number.
    """

    def __init__(self, url: str, number: int = 1) -> None:
        self.place = urllib.parse.urlsplit(url).netloc
        self.source = (f"127.0.0.{number}", 0)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            self.place, timeout=LIMIT_SECONDS, source_address=self.source
        )

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        """One request: status and text of its reply."""
        connection = self.connect()
        kind = {"content-type": "application/json"} if body else {}
        connection.request(method, path, body, {**kind, **headers})
        reply = connection.getresponse()
        text = reply.read(50_000_000).decode("utf-8", "replace")
        connection.close()
        return reply.status, text

    def call(self, name: str, *data: object) -> str:
        """Queue a call of an endpoint; its event. Values left out at the end take defaults."""
        body = json.dumps({"data": data}).encode()
        status, text = self.ask("POST", f"{API}/call/{name}", body)
        assert status == 200, text
        return json.loads(text)["event_id"]

    def events(self, name: str, event: str) -> Iterator[tuple[str, object]]:
        """What the server says about an event, until it ends; closing this drops the line."""
        connection = self.connect()
        try:
            connection.request("GET", f"{API}/call/{name}/{event}")
            reply = connection.getresponse()
            kind = ""
            for line in reply:
                word, _, rest = line.decode().strip().partition(": ")
                if word == "event":
                    kind = rest
                elif word == "data" and kind != "heartbeat":
                    yield kind, json.loads(rest)
        finally:
            connection.close()

    def draw(self, seed: int, labels: dict | None = None) -> str:
        """A picture as data URL."""
        data = [labels or {}, seed, 1, {"precision": "fp32"}]
        *_, (kind, last) = self.events("generate", self.call("generate", *data))
        assert kind == "complete", last
        return last[0]["pictures"][0]
