"""Counters and log lines of a server: enough to run it, nothing about its visitors."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.clients import Client
from tests.server import free_port, running_app
from var_core.serving.metrics import JobMetrics


def test_a_running_server_counts_and_logs_without_saying_who_asked_for_what(
    tmp_path: Path,
) -> None:
    log, port = tmp_path / "log.txt", free_port()
    with running_app(log, "--metrics-port", str(port)) as url:
        client = Client(url, 77)
        client.draw(424242, {"emoji": "red apple"})
        *_, (kind, _) = client.events("generate", client.call("generate", {}, "secret", 1, None))
        assert kind == "error"
        assert client.ask("GET", "/docs")[0] == 404
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
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
    text = log.read_text()
    assert not any(word in text for word in ("127.0.0.77", "424242", "red apple", "secret"))
    lines = [json.loads(line) for line in text.split("\n") if line.startswith("{")]
    (job,) = [line for line in lines if line["event"] == "job"]
    assert set(job) == {"ts", "level", "event", "job", "pictures", "outcome", "ms"}
    assert (job["job"], job["outcome"], job["pictures"]) == ("draw", "ok", 1)


def test_a_fault_is_logged_by_kind_and_place_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = JobMetrics()
    try:
        raise KeyError("the visitor's words")
    except KeyError as error:
        reference = metrics.fault(error)
    (record,) = caplog.records
    assert record.fields["reference"] == reference and record.fields["kind"] == "KeyError"
    assert "visitor" not in json.dumps(record.fields) + record.getMessage()


def test_what_a_library_logs_is_bounded_and_without_its_words() -> None:
    script = (
        "import logging\n"
        "from var_core.serving.metrics import log_to_stderr\n"
        "log_to_stderr()\n"
        "for _ in range(5000):\n"
        "    logging.warning('the visitor\\n{}')\n"
        "    logging.getLogger('mcp.server').error('the visitor\\n{}')\n"
    )
    log = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["logger"] for line in lines} == {"root", "mcp.server"}
    assert 0 < len(lines) < 5000 and "visitor" not in log
