"""The page of results says what the points say."""

from pathlib import Path

import pytest

from training.study import power_laws
from training.study.figures import write_figures
from training.study.points_file import PointsFile
from training.study.report import REPORT_FILE, RESULTS, main, report_text
from training.study.sizes import Size

HARDWARE = {"device": "a processor", "threads": 1, "torch": "2"}


def test_the_page_of_results_is_what_the_points_say() -> None:
    assert (RESULTS / REPORT_FILE).read_text("utf-8") == report_text(RESULTS)


def write_points(folder: Path, num_sizes: int, exponent: float = -0.2) -> None:
    """Runs whose losses follow laws: 2 + (1e-4 N)^-0.2 and the like; a rate that hardly falls."""
    points = PointsFile(folder / "points.json", {"pool": 80})
    for depth in range(2, 2 + num_sizes):
        count = Size(depth).num_parameters
        names = ("loss_all", "loss_last", "error_all", "error_last")
        rates = (2 + (1e-4 * count) ** exponent, 3 + count ** (exponent / 2))
        rates += (2 * count ** (exponent / 4), 0.99 * count ** (exponent / 200))
        figures = dict(zip(names, rates, strict=True))
        curve = [figures | {"compute": count * part, "pictures": part} for part in (10.0, 20.0)]
        about = {"kind": "pictures", "depth": depth, "seed": 0, "parameters": count}
        point = about | curve[-1] | {"curve": curve, "hardware": HARDWARE}
        points.add(f"pictures-d{depth:02d}", point)
    write_figures(folder, points)


def test_laws_and_their_reading_follow_from_the_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    write_points(tmp_path / "laptop", 6)
    text = report_text(tmp_path)
    assert "Hardware: a processor, 1 thread, torch 2." in text
    assert "| loss, all tokens, by parameters outside tables | 0.2 (" in text
    assert "with a fitted irreducible part: r = -1.0000, which reaches the published -0.998" in text
    assert "Kept out of the fits: depth 7," in text
    assert "laptop/plots/pictures-parameters.png" in text
    assert (tmp_path / "laptop" / "plots" / "pictures-parameters.png").exists()


def test_no_law_is_made_up_where_more_compute_never_helped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    write_points(tmp_path / "laptop", 6, exponent=0.2)
    text = report_text(tmp_path)
    assert "| loss, all tokens, by parameters outside tables |" in text
    assert "by training compute in FLOP" not in text


def test_too_few_sizes_are_no_law(tmp_path: Path) -> None:
    write_points(tmp_path / "laptop", 2)
    assert "too few sizes for a law yet" in report_text(tmp_path)
    assert main(["--out", str(tmp_path)]) == 0
    assert (tmp_path / REPORT_FILE).read_text("utf-8") == report_text(tmp_path)


def test_a_folder_without_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--out", str(tmp_path / "none")]) == 2
    assert "holds no results" in capsys.readouterr().err
