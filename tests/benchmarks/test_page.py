"""The benchmark of the page, once."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import page
from tests.browser.conftest import CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium found"),
]


def test_the_page_is_measured(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the server that the tests share."""

    @contextlib.contextmanager
    def shared() -> Iterator[tuple[str, float]]:
        yield url, 1.0

    monkeypatch.setattr(page, "served", shared)
    file = tmp_path / "figures.json"
    page.main(["--runs", "1", "--json", str(file)])
    printed = capsys.readouterr().out
    figures = {row["name"]: row["median"] for row in json.loads(file.read_text())["page"]}
    assert all(name in printed for name in figures)
    assert figures["posts of a picture"] == figures["streams of a picture"] == 1
    assert figures["posts of a sheet"] == figures["streams of a sheet"] == 1
    assert figures["layout shift, drawing"] < 0.02
    times = [value for name, value in figures.items() if name.endswith("ms")]
    assert len(times) == 5 and all(value > 0 for value in times)
