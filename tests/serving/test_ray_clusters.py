"""Pages that join a cluster, from one of its machines or from outside, and leave it as it was."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients import Client
from tests.patience import LIMIT_SECONDS, until
from tests.replicas import leaves_processes
from tests.server import ROOT, app_process, free_port

pytestmark = [pytest.mark.ray, pytest.mark.slow, leaves_processes]
pytest.importorskip("ray", reason="the extra `ray` is not installed")


@dataclass(frozen=True)
class Cluster:
    """A cluster of one machine.

    Attributes:
        inside: address for machines of it.
        outside: address for others.
    """

    inside: str
    outside: str


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    inside, outside, folder = free_port(), free_port(), tempfile.mkdtemp(prefix="ray-")
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block"]
    options = [
        "--node-ip-address=127.0.0.1",
        f"--port={inside}",
        f"--ray-client-server-port={outside}",
        "--num-cpus=2",
        "--include-dashboard=false",
        "--disable-usage-stats",
        f"--temp-dir={folder}",
    ]
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        head = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            until(lambda: answers(inside) and answers(outside))
            yield Cluster(f"127.0.0.1:{inside}", f"ray://127.0.0.1:{outside}")
        finally:
            head.terminate()
            head.wait(LIMIT_SECONDS)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_a_page_joins_and_draws_the_same(
    cluster: Cluster, place: str, tmp_path: Path, url: str, small_scenes: Path
) -> None:
    log = tmp_path / "log.txt"
    options = ("--engine", "ray", "--address", getattr(cluster, place), "--replicas", "1")
    with app_process(log, *options, "--model", str(small_scenes)) as (address, _):
        client = Client(address)
        assert client.draw(5) == Client(url).draw(5)
        stream = client.events("stream", client.call("stream", {}, 1, 8, None))
        next(stream)
        stream.close()
        assert client.draw(6) == Client(url).draw(6)
    assert "Traceback" not in log.read_text()


def test_another_secret_is_one_sentence(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    options = ["--engine", "ray", "--address", cluster.inside, "--port", str(free_port())]
    done = subprocess.run(
        [sys.executable, "app.py", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        env=os.environ,
    )
    assert done.returncode == 2
    assert "wants another token: see RAY_AUTH_TOKEN" in done.stderr.split("\n")[-2]
