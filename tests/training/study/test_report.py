"""The page of results says what the points say."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from training.study import page, power_laws
from training.study.figures import FITS_FILE, write_figures
from training.study.page import numbers_of
from training.study.points_file import PointsFile
from training.study.report import REPORT_FILE, RESULTS, main, read, report_text
from training.study.scaling import POINTS_FILE
from training.study.settings import KINDS
from training.study.sizes import Size
from var_core.web.assets import asset_path

ABOUT = {"pool": 80, "validation": 16, "batch_size": 8, "mixed_precision": "bf16"}
HARDWARE = {"device": "a processor", "threads": 1, "torch": "2"}


def test_the_page_of_results_is_what_the_points_say() -> None:
    assert (RESULTS / REPORT_FILE).read_text("utf-8") == report_text(RESULTS)


def test_what_the_app_tells_of_the_study_is_what_the_points_say() -> None:
    folder = RESULTS / "laptop"
    told = json.loads(asset_path("how/study.json").read_text("utf-8"))
    assert told == numbers_of(read(folder / POINTS_FILE), read(folder / FITS_FILE))


def write_points(
    folder: Path, num_sizes: int, exponent: float = -0.2, kinds: Sequence[str] = KINDS[:1]
) -> None:
    """Runs whose losses follow laws: 2 + (1e-4 N)^-0.2 and the like; a rate that hardly falls."""
    points = PointsFile(folder / "points.json", ABOUT)
    for depth in range(2, 2 + num_sizes):
        count = Size(depth).num_parameters
        names = ("loss_all", "loss_last", "error_all", "error_last")
        rates = (2 + (1e-4 * count) ** exponent, 3 + count ** (exponent / 2))
        rates += (2 * count ** (exponent / 4), 0.99 * count ** (exponent / 200))
        figures = dict(zip(names, rates, strict=True))
        curve = [figures | {"compute": count * part, "pictures": part} for part in (10.0, 20.0)]
        for kind in kinds:
            about = {"kind": kind, "depth": depth, "seed": 0, "parameters": count}
            point = about | curve[-1] | {"curve": curve, "hardware": HARDWARE}
            points.add(f"{kind}-d{depth:02d}", point)
    write_figures(folder, points)


def test_laws_and_their_reading_follow_from_the_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    write_points(tmp_path / "laptop", 6)
    text = report_text(tmp_path)
    assert "Hardware: a processor, 1 thread, torch 2." in text
    assert (
        "64 to learn from, in batches of 8, and 16 to measure with.\nNetworks learn in bf16" in text
    )
    assert "| loss, all tokens, by parameters outside tables | 0.2 (" in text
    assert "with E fitted: r = -1.0000, which reaches the published -0.998" in text
    assert "Kept out of the fits: depth 7," in text
    assert "laptop/plots/pictures-parameters.png" in text
    assert (tmp_path / "laptop" / "plots" / "pictures-parameters.png").exists()


def test_the_app_is_given_a_picture_and_numbers_of_the_laws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    folders = ["--results", str(tmp_path / "laptop"), "--out", str(tmp_path / "how")]
    assert page.main(folders) == 2
    assert "no laws of both kinds yet" in capsys.readouterr().err
    write_points(tmp_path / "laptop", 4, kinds=KINDS)
    assert page.main(folders) == 2
    assert "4 sizes are too few" in capsys.readouterr().err
    write_points(tmp_path / "laptop", 6, kinds=KINDS)
    assert page.main(folders) == 0
    numbers = json.loads((tmp_path / "how" / page.NUMBERS).read_text("utf-8"))
    assert (numbers["networks"], numbers["exponent"]) == ("6", "0.2")
    assert numbers["correlation"] == "-1.0000" and numbers["predicted"] == numbers["measured"]
    with Image.open(tmp_path / "how" / page.PICTURE) as picture:
        assert picture.mode == "RGBA" and picture.getextrema()[3] == (0, 255)


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
