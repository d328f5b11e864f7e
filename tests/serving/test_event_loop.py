"""Whoever sends a body that takes long to read holds up nobody but himself."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.clients import API, Client, served
from tests.patience import LIMIT_SECONDS, until
from var_core import VARPipeline
from var_core.serving import http_guard
from var_core.serving.local_engine import LocalEngine


def test_health_is_told_while_a_body_is_read(
    pipeline: VARPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_read, goes_on = threading.Event(), threading.Event()
    read, answers, was_let_go = http_guard.read_call, [], []

    def held(*values: Any) -> object:
        is_read.set()
        was_let_go.append(goes_on.wait(LIMIT_SECONDS))
        return read(*values)

    def send() -> None:
        answers.append(client.ask("POST", f"{API}/call/about", b'{"data": []}')[0])

    monkeypatch.setattr(http_guard, "read_call", held)
    with served(LocalEngine(pipeline.info, lambda dtype: pipeline), tmp_path) as url:
        client, sender = Client(url), threading.Thread(target=send)
        sender.start()
        try:
            until(is_read.is_set)
            assert client.ask("GET", "/healthz") == (200, "alive")
        finally:
            goes_on.set()
            sender.join()
    assert was_let_go == [True] and answers == [200]
