"""The program: what it prints, and what its command line refuses."""

from pathlib import Path

import pytest

import app
from tests.patience import until
from tests.server import running_app


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model folder")


def test_it_prints_the_address_of_the_page_and_no_advice(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with running_app(log) as url:
        assert until(lambda: f"VAR Studio runs at {url}/\n" in log.read_text())
    assert "share" not in log.read_text()
