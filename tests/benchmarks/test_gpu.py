"""The benchmarks of a GPU, as far as a CPU can tell."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.benchmarks import gpu, gpu_sections, gpu_training, report
from tests.benchmarks.gpu import Given, Occasion, Section
from tests.benchmarks.train_step import Sizes

CPU = torch.device("cpu")
CHECKOUT = os.environ.get("VAR_OFFICIAL", "")  # whose code is run: nobody's but the user's choice
ALL = (*gpu.TOGETHER, *gpu.IN_TURN, gpu.LAST)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    for name in ("out", "tables"):
        (tmp_path / name).mkdir()
    return Given(tmp_path / "out", tmp_path / "tables", None, False)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SECTIONS", "tests.benchmarks.stand_in_section")
    monkeypatch.setattr(gpu, "TOGETHER", (Section("first", 600), Section("fails", 600)))
    turns = Section("hangs", 0.5), Section("other", 600, has_xformers=True), Section("second", 600)
    monkeypatch.setattr(gpu, "IN_TURN", turns)
    monkeypatch.setattr(gpu, "LAST", Section("profile", 600))
    monkeypatch.setattr(gpu, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(gpu, "GRACE_SECONDS", 0.1)


@pytest.mark.usefixtures("stand_ins")
def test_a_section_that_fails_or_hangs_costs_the_others_nothing(given: Given) -> None:
    with Occasion(given, 60, None, []) as occasion:
        lines = list(occasion.run())
    results = {name: " ".join(how) for name, *how in map(str.split, lines)}
    assert results["hangs"].startswith("out of time")
    assert results["fails"].startswith("FAILED (1)")
    assert {name for name, how in results.items() if how.startswith("done")} == {
        "first",
        "second",
        "profile",
    }
    gpu.gather(given)
    figures = json.loads((given.out / gpu.FIGURES).read_text())
    assert set(figures) >= {"first", "fails", "second", "profile"}
    assert "other" not in figures  # there is no folder of xformers
    assert (given.out / gpu.FAILURES).read_text() == "what went wrong"


def test_the_profile_keeps_its_time_and_what_has_none_is_left_out(
    given: Given, stand_ins: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Section("second", 9e9)
    monkeypatch.setattr(gpu, "LAST", Section("profile", 50_000))
    occasion = Occasion(given, 1000, None, [])  # 60,000 seconds
    assert 5_000 < occasion.seconds_of(long) < 10_000
    assert occasion.seconds_of(gpu.LAST) == 50_000
    assert Occasion(given, 1000, None, ["second"]).seconds_of(long) > 50_000
    assert occasion.seconds_of(Section("second", 3)) == 3
    with Occasion(given, 0.0, None, []) as occasion:
        lines = list(occasion.run())
    assert len(lines) == 5 and all("left out" in line for line in lines)


def test_every_section_is_described_and_its_words_are_understood(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    for plan in (gpu_sections.Plan(), gpu_sections.DRY):
        found = gpu_sections.commands(plan, given)
        assert set(found) == {section.name for section in ALL}
        for name, (run, words) in found.items():
            if not name.endswith("tests"):
                with pytest.raises(SystemExit, match="0"):
                    run([*words, "--help"])
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        gpu.main(["--out", str(given.out)])
    assert "no CUDA device" in capsys.readouterr().err


def test_what_fails_is_left_out_and_the_rest_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    calls = []

    def broken() -> Callable[[], object]:
        raise RuntimeError("no such kernel")

    makers = {"broken": broken, "fine": lambda: lambda: calls.append(1)}
    (row,) = report.one_by_one(makers, "broken", 4, runs=3, device=CPU, seconds=600)
    assert row.name == "fine" and row.times == 1 and len(calls) == report.WARM_UPS + 3
    assert row.a_second == pytest.approx(4000 / row.median_ms)
    assert "no such kernel" in capsys.readouterr().out
    assert report.one_by_one({"broken": broken}, "broken", 4, 3, CPU, 600) == []


def test_a_step_with_little_time_is_run_once_after_its_warm_up() -> None:
    calls = []
    report.one_by_one({"step": lambda: lambda: calls.append(1)}, "step", 1, 9, CPU, seconds=0)
    assert len(calls) == report.WARM_UPS + 1


def test_the_used_part_of_a_gpu_follows_from_the_pictures_of_each_step() -> None:
    rows = [
        report.LoneRow(f"ours, {name}", 100.0, 100.0, 1.0, 1000 * 4 / 100.0, 0.0)
        for name in ("compiled", "double")
    ]
    single, double = gpu_training.step_rows(rows, flops=30, batch_size=4, peak=600.0)
    assert (single.batch_size, double.batch_size) == (4, 8)
    assert (single.mfu, double.mfu) == (0.5, 1.0)  # 30 operations in 0.1 s, of 60
    assert double.times == 2 and double.a_second == 80
    assert gpu_training.step_rows(rows, 30, 4, peak=0.0)[0].mfu == 0


def test_the_operations_of_a_step_grow_with_its_batch() -> None:
    single, double = (gpu_training.count_flops(Sizes(1, size, (1, 2))) for size in (1, 2))
    assert double == 2 * single > 0


@pytest.mark.slow
def test_the_script_runs_dry_without_a_gpu(given: Given, tmp_path: Path) -> None:
    words = ["--official", CHECKOUT] if CHECKOUT else []
    out = tmp_path / "dry"
    gpu.main(["--dry-run", "--out", str(out), "--minutes", "60", *words])
    log = (out / gpu.LOG).read_text()
    failures = (out / gpu.FAILURES).read_text()
    assert failures == "", failures
    figures = json.loads((out / gpu.FIGURES).read_text())
    assert set(figures) == {section.name for section in ALL} - {"tests", "xformers-tests"}, log
    assert all(one["host"]["device"] == "cpu" for one in figures.values())
    for name, ways in (
        ("training", ["compiled", "eager", "sdpa", "double", "fourfold"]),  # flex needs a GPU
        ("sharded", ["compiled", "fsdp", "fsdp-eager"]),
    ):
        found = [row["name"].removeprefix("ours, ") for row in figures[name]["steps"]]
        assert [row for row in found if "official" not in row] == ways, log
    for name, ways in (
        ("small", ["eager", "previews", "graphs"]),
        ("small-compiled", ["compiled", "compiled-graphs", "eager", "graphs"]),
    ):
        found = [row["name"].removeprefix("ours, ") for row in figures[name]["batch 2"]]
        assert [row for row in found if "official" not in row] == ways, log
    assert "drawing 1, eager" in (out / gpu.PROFILE).read_text()
