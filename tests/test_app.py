"""The program: what it prints, and what its command line refuses."""

import signal
from pathlib import Path

import pytest

import app
from tests.clients import Client
from tests.patience import LIMIT_SECONDS, until
from tests.server import app_process


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model folder")


def test_it_prints_its_address_and_a_signal_lets_visitors_finish_and_removes_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, folders = tmp_path / "log.txt", tmp_path / "folders"
    folders.mkdir()
    monkeypatch.setenv("TMPDIR", str(folders))
    with app_process(log) as (url, server):
        assert until(lambda: f"VAR Studio runs at {url}/\n" in log.read_text())
        assert len(list(folders.glob("var-studio-*"))) == 1
        client = Client(url)
        events = client.events("stream", client.call("stream", {}, 1, 8, {"precision": "fp32"}))
        next(events)  # it draws, or waits for its first turn
        server.send_signal(signal.SIGTERM)
        *_, (kind, _) = events
        assert kind == "complete"
        assert server.wait(LIMIT_SECONDS) == 0
    assert list(folders.glob("var-studio-*")) == []
    said = log.read_text()
    assert "Traceback" not in said and "share" not in said


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_out_of_range_is_one_sentence(port: str, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--port", port]) == 2
    assert (
        capsys.readouterr().err
        == f"error: port must be a whole number from 1 to 65535, got {port}\n"
    )
