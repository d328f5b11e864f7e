"""`--engine ray`, as it is started."""

import signal
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from tests.clients import Client
from tests.patience import LIMIT_SECONDS, until
from tests.replicas import leaves_processes
from tests.server import app_process

pytestmark = [pytest.mark.ray, leaves_processes]


def test_the_program_draws_the_same_and_leaves_nothing_behind(
    tmp_path: Path, url: str, small_scenes: Path
) -> None:
    log = tmp_path / "log.txt"
    options = ("--engine", "ray", "--replicas", "2", "--model", str(small_scenes))
    with app_process(log, *options) as (address, process):
        client = Client(address)
        assert client.draw(5) == Client(url).draw(5)
        assert client.ask("GET", "/readyz")[0] == 200
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == 0
    assert until(lambda: not any(one.is_running() for one in children))
    said = log.read_text()
    assert "Traceback" not in said and "127.0.0.1:6379" not in said
