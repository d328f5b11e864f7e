"""All figures of a tiny model: each has n and intervals; the file goes on where it ended."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.evaluation.scenes.conftest import make_scene_tokenizer, make_scene_transformer
from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes import figures, picture_figures
from training.evaluation.scenes.edit_figures import border_step
from training.evaluation.scenes.figures import FIGURES, chosen_letters, make_figures
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.judge_network import SceneJudge, save_scene_judge
from training.evaluation.scenes.measured_model import Bench, open_pipeline
from training.evaluation.scenes.picture_figures import jackknife_frechet
from training.evaluation.scenes.prompts import prompt_cases

SETTINGS = {"weights": "abc", "limit": 3}


class FourFeatures(torch.nn.Module):
    """Mean colours and their spread in place of 1,280 features."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images.mean(dim=(2, 3)), images.std(dim=(1, 2, 3))[:, None]], dim=1)


@pytest.fixture(scope="module")
def made(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of all figures."""
    path = tmp_path_factory.mktemp("figures") / "figures.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_figures, "load_features", lambda *_: FourFeatures())
        make_figures(bench, FiguresFile(path, SETTINGS), list(FIGURES))
    return path


def test_every_figure_is_made(made: Path) -> None:
    content = json.loads(made.read_text())
    assert list(content["figures"]) == list("abcdefghijkl")
    assert content["settings"] == SETTINGS


def estimates(value: object) -> list[dict]:
    """All estimates inside a figure."""
    if isinstance(value, dict):
        if {"low", "high"} <= set(value):
            return [value]
        return [one for entry in value.values() for one in estimates(entry)]
    return [one for entry in value for one in estimates(entry)] if isinstance(value, list) else []


@pytest.mark.parametrize("letter", FIGURES)
def test_figures_have_cases_and_intervals(made: Path, letter: str) -> None:
    found = estimates(json.loads(made.read_text())["figures"][letter])
    assert found
    for one in found:
        assert one["n"] >= 1 and one["low"] <= one["value"] * 1.001 + 1e-9
        assert one["high"] >= one["value"] * 0.999 - 1e-9


def test_edits_leave_the_kept_area_exact(made: Path) -> None:
    kept = json.loads(made.read_text())["figures"]["i"]["kept_area_exact"]
    assert kept["value"] == 1 and kept["n"] == 3


def test_rebuilt_scenes_are_judged_beside_real_ones(made: Path) -> None:
    judged = json.loads(made.read_text())["figures"]["k"]["judged"]
    assert judged["style"]["n"] == 3 and {"drawn", "real"} < judged["things"].keys()


def test_entropy_is_that_of_every_scale(made: Path) -> None:
    figure = json.loads(made.read_text())["figures"]["l"]
    assert len(figure["validation"]["per_scale"]) == len(figure["held_out"]["per_scale"]) == 3


def test_what_is_there_is_not_made_again(
    bench: Bench, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> dict:
        raise AssertionError("made again")

    for letter in FIGURES:
        monkeypatch.setitem(FIGURES, letter, refuse)
    before = made.read_bytes()
    make_figures(bench, FiguresFile(made, SETTINGS), list(FIGURES))
    assert made.read_bytes() == before


def test_a_stopped_run_keeps_what_it_finished(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> dict:
        raise KeyboardInterrupt

    monkeypatch.setitem(FIGURES, "k", stop)
    path = tmp_path / "figures.json"
    with pytest.raises(KeyboardInterrupt):
        make_figures(bench, FiguresFile(path, SETTINGS), ["e", "k"])
    assert list(FiguresFile(path, SETTINGS).figures) == ["e"]
    assert list(FiguresFile(path, SETTINGS).marks) == ["free_words"]


def test_figures_of_something_else_are_not_continued(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="figures with weights 'abc', now it is 'def'"):
        FiguresFile(made, SETTINGS | {"weights": "def"})
    path = tmp_path / "figures.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="holds no figures; delete it"):
        FiguresFile(path, SETTINGS)


def test_letters_are_checked() -> None:
    assert chosen_letters("") == list("abcdefghijkl")
    assert chosen_letters("k, a") == ["a", "k"]
    with pytest.raises(ValueError, match="not x, z"):
        chosen_letters("a,z,x")


def test_drawings_depend_on_the_prompt_and_its_seed_alone(bench: Bench) -> None:
    wishes = bench.wishes(prompt_cases(bench.pictures, "one_thing", 3))
    together = bench.draw(wishes, [0, 1, 2])
    assert torch.equal(together[1:2], bench.draw(wishes[1:2], [1]))
    assert not torch.equal(together[1:2], bench.draw(wishes[1:2], [5]))


def test_step_at_a_border_is_counted_there_alone() -> None:
    picture, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool)
    mask[:, 4:] = True
    picture[:, 4:], picture[0, 0] = 30, 255
    assert border_step(picture, mask) == 30


def test_jackknife_gives_an_interval_around_the_distance() -> None:
    dice = torch.Generator().manual_seed(0)
    first, second = (torch.randn(60, 3, generator=dice) for _ in range(2))
    far, near = jackknife_frechet(first + 2, second), jackknife_frechet(first, second)
    assert near.low <= near.value <= near.high < far.low < far.value < far.high
    assert far.value == pytest.approx(12, rel=0.3)


def test_a_judge_of_other_scenes_is_refused(bench: Bench) -> None:
    topics = replace(bench.judge.topics, things=("fox",))
    with pytest.raises(ValueError, match="trained on other scenes"):
        replace(bench, judge=SceneJudge(topics, hidden=8, side=32))


def test_a_model_without_words_is_refused(bench: Bench, pipeline) -> None:
    with pytest.raises(ValueError, match="must take words and the styles round, square"):
        replace(bench, pipeline=pipeline)


def test_either_a_model_or_its_two_parts_are_named(pictures: ScenePictures, tmp_path: Path) -> None:
    for parts in (("", "", ""), ("m", "t", "t"), ("", "t", ""), ("", "", "t")):
        with pytest.raises(ValueError, match="a model folder, or both"):
            open_pipeline(*parts, pictures, torch.float32)
    make_scene_tokenizer().save_pretrained(tmp_path / "tokenizer")
    make_scene_transformer(2).save_pretrained(tmp_path / "transformer")
    parts = "", str(tmp_path / "tokenizer"), str(tmp_path / "transformer")
    joined = open_pipeline(*parts, pictures, torch.float32)
    assert [menu.name for menu in joined.labels.menus] == ["thing", "place", "time", "weather"]
    joined.save_pretrained(tmp_path / "model")
    opened = open_pipeline(str(tmp_path / "model"), "", "", pictures, torch.float32)
    assert opened.info.max_phrases == joined.info.max_phrases == 8


def test_the_command_measures_a_pair_of_networks(
    bench: Bench, pictures: ScenePictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScenePictures, "open", lambda *_: pictures)
    save_scene_judge(bench.judge, tmp_path / "judge.safetensors")
    make_scene_tokenizer().save_pretrained(tmp_path / "tokenizer")
    make_scene_transformer(2).save_pretrained(tmp_path / "transformer")
    words = (
        f"--data here --judge {tmp_path}/judge.safetensors --out {tmp_path}/figures.json "
        f"--tokenizer {tmp_path}/tokenizer --transformer {tmp_path}/transformer --nets {bench.nets}"
    )
    assert figures.main([*words.split(), "--only", "k,l", "--limit", "2"]) == 0
    content = json.loads((tmp_path / "figures.json").read_text())
    assert list(content["figures"]) == ["k", "l"]
    assert figures.main([*words.split(), "--only", "k", "--limit", "3"]) == 2
    assert figures.main([*words.split(), "--only", "q"]) == 2
