"""The benchmark of the page, once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import CHROMIUM
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium found"),
]


def test_the_page_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks.page", "--runs", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert done.returncode == 0, done.stderr
    figures = {row["name"]: row["median"] for row in json.loads(file.read_text())["page"]}
    assert all(name in done.stdout for name in figures)
    assert figures["posts of a picture"] == figures["streams of a picture"] == 1
    assert figures["posts of a sheet"] == figures["streams of a sheet"] == 1
    assert figures["layout shift, drawing"] < 0.02
    times = [value for name, value in figures.items() if name.endswith("ms")]
    assert len(times) == 5 and all(value > 0 for value in times)
