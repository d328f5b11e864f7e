"""Figures of a model of clips: all of them by one command, beside what is wanted."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.training.evaluation.clips.conftest import FRAMES
from training.data.motion import MovingScenes
from training.evaluation.clips import model_figures, samples
from training.evaluation.clips.cases import TRAINED, clip_cases
from training.evaluation.clips.drawn_clips import ClipBench
from training.evaluation.clips.judge_network import ClipJudge, ClipTopics, save_clip_judge
from training.evaluation.clips.model_figures import FIGURES, beside_floors, closeness
from training.tokenizer.perceptual import load_perceptual
from var_core import VARClipPipeline


@pytest.fixture
def bench(
    pipeline: VARClipPipeline, judge: ClipJudge, clips: MovingScenes, nets: Path
) -> ClipBench:
    return ClipBench(pipeline, judge, clips, nets, limit=2)


def test_a_command_makes_every_figure_once(
    pipeline: VARClipPipeline,
    judge: ClipJudge,
    motion_folder: Path,
    nets: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    save_clip_judge(judge, tmp_path / "judge.safetensors")
    words = f"--model {tmp_path}/model --data {motion_folder} --nets {nets} --limit 2"
    words += f" --judge {tmp_path}/judge.safetensors --out {tmp_path}/figures.json --precision fp32"
    assert model_figures.main(words.split()) == 0
    said = capsys.readouterr().out
    content = json.loads((tmp_path / "figures.json").read_text())
    assert set(content["figures"]) == set(FIGURES)
    figures = content["figures"]
    assert figures["first_frame"]["psnr_of_first_frame"] > 60  # the very tokens are kept
    assert figures[TRAINED]["motion"]["n"] == figures["reconstruction"]["n"] == 2
    assert 0 < figures["seconds"]["seconds_to_play"] <= figures["seconds"]["seconds"]
    monkeypatch.setattr(ClipBench, "drawn", None)  # nothing is drawn anew
    assert model_figures.main(words.split()) == 0
    assert capsys.readouterr().out == said


def test_drawings_depend_on_seed_and_words_alone(bench: ClipBench, clips: MovingScenes) -> None:
    cases = clip_cases(clips, TRAINED, 2)
    both = bench.drawn(cases, "both")
    assert both.shape == (2, 3, FRAMES, 32, 32) and torch.equal(both, bench.drawn(cases, "again"))
    assert torch.equal(bench.drawn(cases[:1], "one")[0], both[0])
    real = bench.real(cases)
    from_first = bench.drawn_from(cases, real, "from the first frame")
    assert from_first.shape == both.shape and not torch.equal(from_first, both)


def test_frames_of_a_clip_that_stands_still_are_close(nets: Path) -> None:
    net = load_perceptual(nets)
    still = torch.rand(1, 3, 1, 32, 32).expand(-1, -1, 4, -1, -1) * 2 - 1
    assert closeness(net, still) == pytest.approx([0.0], abs=1e-6)
    assert closeness(net, torch.rand(1, 3, 4, 32, 32) * 2 - 1)[0] > 0


def test_floors_are_lowest_or_highest() -> None:
    figures = {
        "reconstruction": {"psnr": 23.5},
        "trained": {"thing": {"of_real": {"value": 0.4}}, "motion": {"of_real": None}},
        "held_out": {"motion": {"points_to_trained": {"value": -20.0}}},
        "consistency": {"of_real": {"value": 1.5}},
        "seconds": {"seconds": 2.0, "seconds_to_play": 0.7},
    }
    enough = {name: one["is_enough"] for name, one in beside_floors(figures).items()}
    assert enough == {
        "psnr": True,
        "thing": False,
        "held_out_motion": False,
        "consistency": True,
        "seconds": True,
        "seconds_to_play": False,
    }


def test_parts_that_do_not_fit_are_refused(bench: ClipBench) -> None:
    other = ClipJudge(ClipTopics(("fox",), ("spin",)), 32)
    with pytest.raises(ValueError, match="the judge was trained on other clips"):
        ClipBench(bench.pipeline, other, bench.clips, bench.nets)


def test_samples_are_one_animation(pipeline: VARClipPipeline, tmp_path: Path) -> None:
    frames = samples.sample_frames(pipeline, ("a fox spinning", "a rocket falling"), range(2))
    assert len(frames) == FRAMES and frames[0].width > frames[0].height > 256
    assert frames[0].tobytes() != frames[-1].tobytes()


def test_the_command_draws_the_samples(
    pipeline: VARClipPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    monkeypatch.setattr(samples, "PROMPTS", ("a fox spinning",))
    drawn = samples.sample_frames(pipeline, ("a fox spinning",), range(1))
    monkeypatch.setattr(samples, "sample_frames", lambda _: drawn)
    assert samples.main(["--model", f"{tmp_path}/model", "--out", f"{tmp_path}/out"]) == 0
    with Image.open(tmp_path / "out" / samples.FILE) as image:
        assert (image.n_frames, image.info["loop"]) == (FRAMES, 0)
