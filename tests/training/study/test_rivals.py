"""The comparison: three methods on the same scenes, in the same order."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from training.study import artists, rival_runs, rivals
from training.study.artists import ScaleArtist, choices_to_try
from training.study.budget import BudgetFlag
from training.study.gauge import Draw, Gauge
from training.study.held_back import open_scenes
from training.study.report import report_text
from training.study.rival_runs import METHODS, Rival, open_rival, rival_settings, rivals_of
from training.study.settings import RivalSettings
from training.study.sizes import Size
from training.study.variants import VARIANTS

TINY = (
    "--sides 1 2 4 --level-channels 32 32 --vocab-size 16 --code-dim 8 --tokenizer-steps 8 "
    "--depths 2 --width-per-depth 32 --drawings 20"
)


@pytest.fixture
def words(
    common_arguments: list[str],
    nets: Path,
    judge_file: Path,
    few_drawings: None,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Arguments of a comparison of networks that are as small as they can be."""
    monkeypatch.setattr(rival_runs, "LARGEST_DIFFERENCE", 0.2)  # of networks as small as these
    for name in ("drawing_costs", "rival_figures"):
        monkeypatch.setattr(f"training.study.{name}.DIFFUSION_STEPS", (2, 3))
    monkeypatch.setattr(artists, "TRIED_STEPS", (2, 3))
    return [*common_arguments, *TINY.split(), "--nets", str(nets), "--judge", str(judge_file)]


def points_of(folder: Path) -> dict:
    return json.loads((folder / "rivals.json").read_text())["points"]


def test_three_methods_learn_from_the_same_scenes_in_the_same_order(
    words: list[str], tmp_path: Path
) -> None:
    assert rivals.main([*words, "--only", "methods", "--mixed-precision", "bf16"]) == 0
    folder = tmp_path / "study"
    points = points_of(folder)
    found = [points[f"{method}-d02"] for method in METHODS]
    assert len({one["pictures"] for one in found}) == 1
    assert found[0]["parameters"] == found[1]["parameters"]
    operations = [one["operations_to_draw"] for one in found]
    assert [set(one) for one in operations] == [{"3"}, {"16"}, {"2", "3"}]
    assert operations[0]["3"] > 0 and operations[2]["2"] < operations[2]["3"]
    assert list(points)[-1] == "seconds"  # of all methods together, when all runs were done
    seconds = points["seconds"]["seconds_to_draw"]
    assert [set(seconds[f"{method}-d02"]) for method in METHODS] == [set(o) for o in operations]
    check_figures(points, folder)

    about = json.loads((folder / "rivals.json").read_text())["about"]
    settings = RivalSettings(
        data=words[1],
        out=str(folder),
        depths=(2,),
        nets="none",
        **{name: tuple(one) if isinstance(one, list) else one for name, one in about.items()},
    )
    scenes, asked = open_scenes(settings.data, 32), []
    for method in METHODS:
        run = open_rival(Rival(method, Size(2)), settings, scenes)
        for _ in range(2):
            batch = run.next_batch(run.step_random())
        asked.append(batch.condition)
    for other in asked[1:]:
        assert torch.equal(asked[0].labels, other.labels)
        assert torch.equal(asked[0].phrases, other.phrases)
        assert torch.equal(asked[0].is_given, other.is_given)


def check_figures(points: dict, folder: Path) -> None:
    """Every method was measured alike, at three places of its training."""
    for method in METHODS:
        point = points[f"{method}-d02"]
        assert len(point["search"]) == 4
        best = min(point["search"], key=lambda tried: tried["frechet"])
        assert point["choice"] == {name: one for name, one in best.items() if name != "frechet"}
        assert [stage["pictures"] for stage in point["stages"]] == [16, 32, 64]
        for stage in point["stages"]:
            assert stage["frechet"]["n"] == 20 and stage["right"]["things"]["n"] == 20
            assert stage["frechet"]["references"] == 100
            assert stage["diversity"]["value"] > 0
    assert set(points["diffusion-d02"]["by_steps"]) == {"2", "3"}
    assert points["real"]["right"]["place"]["n"] == 20
    through = ("pyramid-tokenizer", "raster-tokenizer", "latents")
    assert {f"through-{name}" for name in through} < set(points)
    assert (folder / "plots" / "rivals.svg").exists()
    text = report_text(folder.parent)
    assert "### VAR, raster tokens and diffusion" in text and "real, through the latents" in text
    assert "of 20 drawings to 100 real scenes, extrapolated to endless drawings as 2 F(20)" in text
    assert "| parameters | with tables and head |" in text
    assert "Seconds: all methods took turns, the fastest of 2 rounds." in text


def test_time_that_is_over_stops_a_measurement_too(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    measure = Gauge.tried_distance

    def time_is_over(gauge: Gauge, draw: Draw) -> float:
        assert isinstance(gauge.stop, BudgetFlag)
        gauge.stop.end = 0.0
        return measure(gauge, draw)

    monkeypatch.setattr(Gauge, "tried_distance", time_is_over)
    assert rivals.main([*words, "--only", "methods"]) == 0
    assert "the same command goes on from here" in capsys.readouterr().out
    folder = tmp_path / "study"
    assert not [name for name in points_of(folder) if name.endswith("-d02")]
    assert list((folder / "var-d02").glob("step-*"))  # what it learned is still there


@pytest.mark.slow
def test_another_machine_goes_on_with_the_same_tokenizers_to_the_ablations(
    words: list[str], tmp_path: Path
) -> None:
    kept = ["--results", str(tmp_path / "kept"), "--only"]
    assert rivals.main([*words, *kept, "methods"]) == 0
    before = points_of(tmp_path / "kept")
    shutil.rmtree(tmp_path / "study")
    assert rivals.main([*words, *kept, "ablations"]) == 0
    after = points_of(tmp_path / "kept")
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"var-d02-{name}" for name in VARIANTS}
    for name in set(after) - set(before):
        assert set(after[name]["probes"]) == {"plain", "top-k", "guided"}
        assert after[name]["pictures"] == 64
    assert not (tmp_path / "study" / "pyramid-tokenizer" / "tokenizer").exists()
    assert "| VAR without adaptive norm | " in report_text(tmp_path)


def test_methods_differ_in_tokenizer_alone() -> None:
    settings = RivalSettings(data="data", out="out")
    var, raster, diffusion = (
        rival_settings(Rival(method, Size(4)), settings) for method in METHODS
    )
    for other in (raster, diffusion):
        different = {name for name in vars(var) if getattr(var, name) != getattr(other, name)} - {
            "out"
        }
        assert different <= {"tokenizer", "pool_folder"}
    assert diffusion.tokenizer == var.tokenizer != raster.tokenizer


def test_as_many_options_are_tried_for_each_method() -> None:
    tokens = choices_to_try(ScaleArtist(None, None))  # pyright: ignore[reportArgumentType]
    diffusion = choices_to_try(object.__new__(artists.DiffusionArtist))
    assert len(tokens) == len(diffusion) == len(set(tokens)) == len(set(diffusion))
    assert {one.guidance for one in tokens} == {one.guidance for one in diffusion}
    assert all(one.steps for one in diffusion) and not any(one.steps for one in tokens)


def test_variants_come_after_the_methods_and_are_of_the_smallest_size() -> None:
    names = [one.name for one in rivals_of(RivalSettings(data="data", out="out"))]
    assert names[:3] == ["var-d04", "raster-d04", "diffusion-d04"]
    assert names[6:] == [f"var-d04-{name}" for name in VARIANTS]


def test_a_method_with_more_parameters_is_refused() -> None:
    rival_runs.check_parameters(round(1.029 * Size(4).num_parameters), Size(4))
    with pytest.raises(ValueError, match="differ by at most 3 %"):
        rival_runs.check_parameters(round(1.04 * Size(4).num_parameters), Size(4))
