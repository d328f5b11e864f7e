"""Joining trained parts into a model folder shows at a terminal how far it is."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.training.tiny import run_tokenizer, run_transformer
from training import export


def test_a_terminal_shows_what_is_done_and_how_long_the_sketches_take(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run_tokenizer(data, tmp_path / "tok", 2)
    run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 2)
    capsys.readouterr()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    parts = f"--tokenizer {tmp_path}/tok/tokenizer --transformer {tmp_path}/var/transformer"
    words = f"{parts} --data {data} --out {tmp_path}/model --sketch-steps 4"
    assert export.main([*words.split(), "--guidance", "3"]) == 0
    index = json.loads((tmp_path / "model" / "model_index.json").read_text())
    assert index["sampling_options"] == {"guidance_scale": 3.0}
    said, shown = capsys.readouterr()
    assert "learning to sketch previews: 4 steps" in said
    assert "joining the networks: 00:0" in shown
    assert re.search(r"100%.* 4/4 \[\d+:\d+<\d+:\d+, .*(step/s|s/step)\]", shown)
