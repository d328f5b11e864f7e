"""Sampling options of a model are chosen on prompts that its card does not use."""

from itertools import islice
from pathlib import Path

import pytest

from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes import sampling
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.judge_network import save_scene_judge
from training.evaluation.scenes.measured_model import Bench
from training.evaluation.scenes.prompts import SETS, prompt_cases
from training.evaluation.scenes.sampling import COUNTED, later_cases, mean_rate, rates_with

SETTINGS = {"weights": "abc"}


def test_no_prompt_of_a_figure_is_used(pictures: ScenePictures) -> None:
    used = {case.scene for case in prompt_cases(pictures, "one_thing")}
    later = later_cases(pictures, "one_thing", 5)
    assert len(later) == 5 and not used & {case.scene for case in later}
    everything = list(islice(SETS["one_thing"].cases(pictures), len(used) + 5))
    assert later == everything[-5:]


def test_each_value_has_its_drawings_and_a_file_that_goes_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    draw = Bench.draw

    def counted(self: Bench, *of_what: list) -> object:
        asked.append(self.pipeline.info.options.guidance_scale)
        return draw(self, *of_what)

    monkeypatch.setattr(Bench, "draw", counted)
    file = FiguresFile(tmp_path / "guidance.json", SETTINGS)
    found = rates_with(bench, file, {"guidance_scale": 4.0})
    assert asked == [4.0, 4.0] and bench.pipeline.info.options.guidance_scale == 1.5
    assert found["one_thing"]["n"] == found["two_things"]["n"] == 3 and found["style"]["n"] == 6
    assert rates_with(bench, FiguresFile(file.path, SETTINGS), {"guidance_scale": 4.0}) == found
    assert len(asked) == 2
    rates_with(bench, file, {"guidance_scale": 0.0})
    assert asked[2:] == [0.0, 0.0]


def test_the_value_with_the_largest_mean_is_named(
    bench: Bench,
    pictures: ScenePictures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def made_up(_: Bench, __: object, changed: dict[str, float]) -> dict:
        (value,) = changed.values()
        return {name: {"value": 1 - abs(value - 3) / 10} for name in COUNTED}

    rates = {name: {"value": one} for name, one in zip(COUNTED, (0, 1, 0, 1), strict=True)}
    assert mean_rate(rates) == 0.5
    monkeypatch.setattr(ScenePictures, "open", lambda *_: pictures)
    monkeypatch.setattr(sampling, "rates_with", made_up)
    bench.pipeline.save_pretrained(tmp_path / "model")
    save_scene_judge(bench.judge, tmp_path / "judge.safetensors")
    words = f"--model {tmp_path}/model --data here --judge {tmp_path}/judge.safetensors"
    out = tmp_path / "guidance.json"
    assert sampling.main([*words.split(), "--out", str(out), "--values", "1.5,3,2.5"]) == 0
    assert "take 3: mean of one_thing, two_things, place, style 1.000" in capsys.readouterr().out
    for more, message in (
        (
            "--values 3,x",
            "are numbers like 1.5, not '3,x'",
        ),
        ("--values 21", "from 0 to 20, got 21"),
        (
            "--vary top_k --values 0.5",
            "are numbers like 900, not '0.5'",
        ),
    ):
        assert sampling.main([*words.split(), "--out", str(out), *more.split()]) == 2
        assert message in capsys.readouterr().err
