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


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_out_of_range_is_one_sentence(port: str, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--port", port]) == 2
    assert (
        capsys.readouterr().err
        == f"error: port must be a whole number from 1 to 65535, got {port}\n"
    )
