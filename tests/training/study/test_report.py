"""The page of results says what the points say."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training.study import page, power_laws
from training.study.figures import FITS_FILE, write_figures
from training.study.page import numbers_of_laws, numbers_of_rivals
from training.study.points_file import PointsFile
from training.study.report import REPORT_FILE, RESULTS, main, read, report_text
from training.study.report_tables import COLUMNS
from training.study.rival_reading import METHOD_NAMES, reading
from training.study.rival_seconds import SECONDS
from training.study.rivals import POINTS_FILE as RIVALS_FILE
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
    assert told["laws"] == numbers_of_laws(read(folder / POINTS_FILE), read(folder / FITS_FILE))
    assert told["rivals"] == numbers_of_rivals(read(folder / RIVALS_FILE))


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


def write_rivals(folder: Path) -> None:
    """Three methods at two sizes, each a little farther from real scenes than the one before."""
    points = PointsFile(folder / RIVALS_FILE, ABOUT)
    passes = {"var": ["7"], "raster": ["64"], "diffusion": ["10", "50"]}
    seconds, right = {}, {"things": {"value": 0.25}, "place": {"value": 0.5}}
    for depth in (4, 6):
        for far, kind in enumerate(METHOD_NAMES):
            distance = {"value": 40 + far, "low": 39 + far, "high": 41 + far, "n": 20}
            figures = {"frechet": distance, "right": right}
            point = {"kind": kind, "variant": "", "depth": depth, "stages": [figures]}
            point |= {"parameters": (depth - 2) * 500_000, "choice": {"guidance": 1.0}}
            if kind == "diffusion":
                point["choice"]["steps"] = 50
                point["by_steps"] = dict.fromkeys(passes[kind], figures)
            name = f"{kind}-d{depth:02d}"
            points.add(name, point)
            seconds[name] = {count: int(count) / 100 for count in passes[kind]}
    for name in ("real", "through-pyramid-tokenizer"):
        points.add(name, {"kind": name, "frechet": {"value": 7.0, "n": 20}, "right": right})
    points.add(SECONDS, {"kind": SECONDS, "seconds_to_draw": seconds})


def read_aloud(points: Mapping[str, Any]) -> str:
    """What is read from points, as one line."""
    lines = reading(points, points[SECONDS]["seconds_to_draw"])
    assert max(map(len, lines)) <= COLUMNS
    return " ".join(map(str.strip, lines))


def test_what_methods_differ_by_is_read_from_intervals(tmp_path: Path) -> None:
    write_rivals(tmp_path)
    points = read(tmp_path / RIVALS_FILE)["points"]
    said = read_aloud(points)
    assert said.startswith("- Frechet distance at 1 M: VAR 40, raster tokens 41, diffusion 42; ")
    assert "of raster tokens and of diffusion meets that of the first. - A picture" in said
    assert "VAR 0.07 s, raster tokens 0.64 s (9.1 times), diffusion 0.5 s (7.1 times)" in said
    assert "Real scenes lie 7 from others, and 7 once they went through" in said
    assert "as much as 17 to 18 % of the distances" in said
    points["diffusion-d06"]["stages"][-1]["frechet"]["low"] = 41.5
    assert "; the interval of raster tokens meets that of the first" in read_aloud(points)


def test_the_app_is_given_pictures_and_numbers_of_the_study(
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
    assert page.main(folders) == 2
    assert "not all methods were compared yet" in capsys.readouterr().err
    write_rivals(tmp_path / "laptop")
    assert page.main(folders) == 0
    numbers = json.loads((tmp_path / "how" / page.NUMBERS).read_text("utf-8"))
    laws, methods = numbers["laws"], numbers["rivals"]
    assert (laws["networks"], laws["exponent"]) == ("6", "0.2")
    assert laws["correlation"] == "-1.0000" and laws["predicted"] == laws["measured"]
    assert methods["rows"][0] == ["VAR", "7", "0.07 s", "40", "25 %", "50 %"]
    assert methods["rows"][-1] == ["diffusion", "50", "0.5 s", "42", "25 %", "50 %"]
    for name in (page.LAWS_PICTURE, page.RIVALS_PICTURE):
        with Image.open(tmp_path / "how" / name) as picture:
            assert picture.mode == "RGBA" and picture.getextrema()[3] == (0, 255)


def test_no_law_is_made_up_where_more_compute_never_helped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    write_points(tmp_path / "laptop", 6, exponent=0.2)
    text = report_text(tmp_path)
    assert "| loss, all tokens, by parameters outside tables |" in text
    assert "by training compute in FLOP" not in text


def test_no_run_of_the_size_that_is_kept_out_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    write_points(tmp_path, 6)
    before = read(tmp_path / FITS_FILE)["kinds"]["pictures"]
    points = PointsFile(tmp_path / POINTS_FILE, ABOUT)
    other = points.points["pictures-d07"] | {"seed": 1, "loss_all": 9.0}
    points.add("pictures-d07-s1", other)
    write_figures(tmp_path, points)
    after = read(tmp_path / FITS_FILE)["kinds"]["pictures"]
    assert after["runs"] == before["runs"] == 5 and after["fits"] == before["fits"]
    mean = (before["kept_out"]["loss_all"]["measured"] + 9) / 2
    assert after["kept_out"]["loss_all"]["measured"] == pytest.approx(mean, rel=1e-4)


def test_too_few_sizes_are_no_law(tmp_path: Path) -> None:
    write_points(tmp_path / "laptop", 2)
    assert "too few sizes for a law yet" in report_text(tmp_path)
    assert main(["--out", str(tmp_path)]) == 0
    assert (tmp_path / REPORT_FILE).read_text("utf-8") == report_text(tmp_path)


def test_a_folder_without_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--out", str(tmp_path / "none")]) == 2
    assert "holds no results" in capsys.readouterr().err
