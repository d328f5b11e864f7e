"""The benchmark of the training step, at a size that takes no time."""

import json
from pathlib import Path

import pytest
import torch

from tests.benchmarks import train_step
from tests.benchmarks.report import SHORT
from var_core.devices import pick_dtype

TINY = "--depth 1 --batch-size 1 --sides 1 2 --runs 1 --compiler eager"


def test_the_benchmark_times_every_form_of_our_step_and_every_kernel_of_the_cpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_step, "pick_device", lambda: torch.device("cpu"))
    file = tmp_path / "figures.json"
    train_step.main([*TINY.split(), "--json", str(file)])
    figures = json.loads(file.read_text())
    forms = ["fp32, eager", "fp32, compiled", "bf16, compiled"]
    assert [row["name"] for row in figures["steps"]] == [f"ours, {form}" for form in forms]
    dtypes = dict.fromkeys(("fp32", SHORT[pick_dtype(torch.device("cpu"))]))
    assert [row["name"] for row in figures["attention"]] == [
        f"{kernel}, {dtype}, {form}"
        for dtype in dtypes
        for kernel in ("prefix", "math", "sdpa")
        for form in ("eager", "compiled")
    ]
    rows = figures["steps"] + figures["attention"]
    assert all(row["median_ms"] > 0 and row["times"] > 0 for row in rows)
    assert figures["sizes"] == {"depth": 1, "batch_size": 1, "sides": [1, 2]}
    assert figures["host"]["threads"] == torch.get_num_threads()
    printed = capsys.readouterr().out
    assert all(row["name"] in printed for row in rows)


def test_a_folder_without_the_official_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        train_step.main([*TINY.split(), "--official", str(tmp_path)])
    assert "no checkout of the official code" in capsys.readouterr().err


def test_our_step_changes_the_weights_and_lowers_the_loss() -> None:
    """So that what is timed is training."""
    step = train_step.OurStep(
        train_step.Sizes(1, 2, (1, 2)), torch.device("cpu"), torch.bfloat16, ""
    )
    step.optimizer.param_groups[0]["lr"] = step.optimizer.param_groups[1]["lr"] = 1e-2
    step.cache[1:] = step.cache[0]
    losses = [step() for _ in range(30)]
    assert losses[-1] < losses[0] - 1
