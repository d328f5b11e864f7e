"""The program: what it prints and bears, and what its command line refuses."""

import contextlib
import json
import signal
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import app
from tests.clients import Client
from tests.patience import LIMIT_SECONDS, until
from tests.server import ROOT, app_process, free_port
from var_core.command_line import main as command_line
from var_core.exit_codes import EXIT_NO_MEMORY


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model folder")


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
@pytest.mark.parametrize("place", ["app.serve", "var_core.command_line.main._parser"])
def test_too_little_memory_is_one_sentence(
    error: Exception, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(place, fail)
    main = app.main if place.startswith("app") else command_line.main
    assert main([]) == EXIT_NO_MEMORY == 5
    assert capsys.readouterr().err.startswith("error: out of memory: ")
    error = KeyError("unforeseen")
    with pytest.raises(KeyError):
        main([])


@dataclass(frozen=True)
class Running:
    """The program at work.

    Attributes:
        url: its address.
        process: it.
        log: file with what it printed.
        folders: place of its temporary files.
        metrics_port: port of its counters.
    """

    url: str
    process: subprocess.Popen
    log: Path
    folders: Path
    metrics_port: int


FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sys.path.insert(0, {root!r})
import app
sys.exit(app.main())
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, small_scenes: Path) -> Iterator[Running]:
    """The program with few file descriptors and an output that knows only ASCII.

    The tests below follow one another on it; the last one ends it.
    """
    place = tmp_path_factory.mktemp("program")
    log, folders, model, port = place / "log.txt", place / "folders", place / "größe", free_port()
    program = place / "few_files.py"
    program.write_text(FEW_FILES.format(root=str(ROOT)))
    folders.mkdir()
    model.symlink_to(small_scenes)
    options = ["--metrics-port", str(port), "--model", str(model)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("TMPDIR", folders), ("PYTHONIOENCODING", "ascii"), ("LC_ALL", "C")):
            patch.setenv(name, str(value))
        patch.delenv("VAR_STUDIO_ENGINE", raising=False)  # Ray alone needs more files than that
        with app_process(log, *options, program=program) as (url, process):
            yield Running(url, process, log, folders, port)


def test_it_prints_its_address_even_where_letters_are_ascii(running: Running) -> None:
    assert until(lambda: f"VAR Studio runs at {running.url}/\n" in running.log.read_text())


def test_it_counts_and_logs_without_saying_who_asked_for_what(running: Running) -> None:
    client = Client(running.url, 77)
    client.draw(424242, {"thing": "apple"})
    *_, (kind, _) = client.events("generate", client.call("generate", {}, "secret", 1, None))
    assert kind == "error"
    assert client.ask("GET", "/docs")[0] == 404
    with urllib.request.urlopen(f"http://127.0.0.1:{running.metrics_port}/metrics") as reply:
        metrics = reply.read().decode()
    for path in ("/metrics", "/gradio_api/metrics"):
        assert client.ask("GET", path)[0] == 404  # not on the port that the world sees
    for line in (
        'var_studio_jobs_total{job="draw",outcome="ok"} 1.0',
        "var_studio_pictures_total 1.0",
        'var_studio_refused_total{where="handler"} 1.0',
        "var_studio_running 0.0",
        "var_studio_waiting 0.0",
        "var_studio_first_preview_seconds_count 1.0",
    ):
        assert f"{line}\n" in metrics
    assert "var_studio_cache_bytes" in metrics and "process_resident_memory_bytes" in metrics
    text = running.log.read_text()
    assert not any(word in text for word in ("127.0.0.77", "424242", "apple", "secret"))
    lines = [json.loads(line) for line in text.split("\n") if line.startswith("{")]
    (job,) = [line for line in lines if line["event"] == "job"]
    assert set(job) == {"ts", "level", "event", "job", "pictures", "outcome", "ms"}
    assert (job["job"], job["outcome"], job["pictures"]) == ("draw", "ok", 1)


def test_idle_connections_neither_fill_the_log_nor_shut_others_out(running: Running) -> None:
    place = urllib.parse.urlsplit(running.url)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            idle = stack.enter_context(socket.socket())
            idle.bind(("127.0.0.9", 0))
            idle.connect((place.hostname, place.port))
        for number in range(40):
            assert Client(running.url, 10 + number).ask("GET", "/healthz") == (200, "alive")
        for _ in range(60):  # one after the other
            assert Client(running.url, 3).ask("GET", "/healthz") == (200, "alive")
        assert Client(running.url, 2).draw(1).startswith("data:image/png")
    said = running.log.read_text()
    assert len(said) < 100_000 and "Too many open files" not in said


def test_a_signal_lets_visitors_finish_and_removes_the_folder(running: Running) -> None:
    assert len(list(running.folders.glob("var-studio-*"))) == 1
    client = Client(running.url)
    events = client.events("stream", client.call("stream", {}, 1, 8, {"precision": "fp32"}))
    next(events)  # it draws, or waits for its first turn
    running.process.send_signal(signal.SIGTERM)
    *_, (kind, _) = events
    assert kind == "complete"
    assert running.process.wait(LIMIT_SECONDS) == 0
    assert list(running.folders.glob("var-studio-*")) == []
    said = running.log.read_text()
    assert "Traceback" not in said and "share" not in said


# gradio leaves the socket open with which it has found out
@pytest.mark.filterwarnings("ignore:.*laddr=:pytest.PytestUnraisableExceptionWarning")
def test_a_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert app.main(["--port", port]) == 4
    said = capsys.readouterr().err
    assert port in said and "Traceback" not in said and "--port" in said and "GRADIO" not in said


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_out_of_range_is_one_sentence(port: str, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--port", port]) == 2
    assert (
        capsys.readouterr().err
        == f"error: port must be a whole number from 1 to 65535, got {port}\n"
    )
