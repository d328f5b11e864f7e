"""The judge of clips learns, resumes, and comes back from its file."""

import json
from pathlib import Path

import pytest
import torch

from training.data.motion import MovingScenes, held_out_motions
from training.evaluation.clips import judge as command
from training.evaluation.clips.cases import HELD_OUT, TRAINED, clip_cases, one_thing_clip, paint
from training.evaluation.clips.judge_network import (
    ClipJudge,
    ClipTopics,
    MotionNet,
    answers_of,
    judge_clips,
    load_clip_judge,
    save_clip_judge,
    shares_right,
)
from training.evaluation.clips.judge_training import ClipJudgeOptions, ClipJudgeTraining
from training.evaluation.features import load_features

SMALL = ClipJudgeOptions(steps=4, save_every=2, batch_size=4, clip_side=32, side=32)


def training_of(clips: MovingScenes, nets: Path, folder: Path) -> ClipJudgeTraining:
    return ClipJudgeTraining(clips.table, load_features(nets, 32), folder, 0, SMALL)


def test_the_judge_knows_every_thing_and_both_sides_that_it_may_go_to(
    judge: ClipJudge, clips: MovingScenes
) -> None:
    assert judge.topics.things == tuple(clips.table.names)
    assert {"slide left", "slide right", "fly up", "spin"} <= set(judge.topics.ways)
    assert "play" not in judge.topics.ways  # things of scenes do nothing by themselves
    found = judge_clips(judge, torch.rand(3, 3, 5, 32, 32) * 2 - 1)
    assert len(found) == 3 and all(0 <= way < len(judge.topics.ways) for _, way in found)


def test_cases_hold_one_thing_in_a_motion_that_training_shows_or_not(clips: MovingScenes) -> None:
    held_out, table = set(held_out_motions(clips.table)), clips.table
    for name in (TRAINED, HELD_OUT):
        for case in clip_cases(clips, name, 6):
            (placement,), (move,) = case.clip.scene.placements, case.clip.moves
            assert ((placement.thing, move.motion) in held_out) == (name == HELD_OUT)
            assert table.names[placement.thing] in case.phrases[0] and case.style in table.styles
    assert len(clip_cases(clips, HELD_OUT, 1000)) == len(held_out)
    assert one_thing_clip(table, 5, 6) == one_thing_clip(table, 5, 6)


def test_a_motion_is_told_by_changes_and_not_by_the_picture() -> None:
    torch.manual_seed(0)
    net = MotionNet(3).eval()
    clip = torch.rand(1, 3, 6, 64, 64) * 2 - 1
    assert not torch.allclose(net(clip), net(clip.flip(2)))
    assert not torch.allclose(net(clip), net(clip.roll(1, dims=4)))
    assert net(clip[..., ::2, ::2]).shape == (1, 3)


def test_a_judge_that_resumes_is_that_of_an_undisturbed_run(
    clips: MovingScenes, nets: Path, tmp_path: Path
) -> None:
    whole = training_of(clips, nets, tmp_path / "whole").run()
    training_of(clips, nets, tmp_path / "parts").run(stop_after=2)
    training = training_of(clips, nets, tmp_path / "parts")
    assert training.step == 2
    for name, weight in training.run().state_dict().items():
        assert torch.equal(weight, whole.state_dict()[name]), name
    with pytest.raises(ValueError, match="other settings"):
        other = ClipJudgeOptions(steps=5, batch_size=4, clip_side=32, side=32)
        ClipJudgeTraining(clips.table, load_features(nets, 32), tmp_path / "parts", 0, other)


def test_a_judge_comes_back_from_its_file(
    judge: ClipJudge, clips: MovingScenes, tmp_path: Path
) -> None:
    save_clip_judge(judge, tmp_path / "judge.safetensors")
    again = load_clip_judge(tmp_path / "judge.safetensors")
    real = [case.clip for case in clip_cases(clips, TRAINED, 2)]
    painted = paint(clips.renderer(torch.device("cpu")), real, 32)
    assert torch.equal(judge(painted).ways, again(painted).ways)
    assert again.topics == judge.topics
    with pytest.raises(ValueError, match=r"training\.evaluation\.clips\.judge"):
        load_clip_judge(tmp_path / "missing.safetensors")


def test_shares_count_thing_motion_and_both() -> None:
    found, asked = [(0, 1), (2, 1), (2, 2), (0, 0)], [(0, 1), (2, 2), (0, 2), (1, 1)]
    assert shares_right(found, asked) == {"thing": 0.5, "motion": 0.5, "both": 0.25}


def test_a_clip_of_two_things_is_no_question(clips: MovingScenes) -> None:
    clip = one_thing_clip(clips.table, 5, 6)
    topics = ClipTopics(tuple(clips.table.names), ("spin",))
    with pytest.raises(ValueError):
        answers_of(type(clip)(clip.scene, (*clip.moves, *clip.moves)), topics)


def test_a_command_writes_judge_and_report(
    motion_folder: Path, nets: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = f"--data {motion_folder} --nets {nets} --out {tmp_path} --num-validation 3 --steps 2"
    words += " --clip-side 32 --side 32 --batch-size 2"
    assert command.main(words.split()) == 0
    report = json.loads((tmp_path / command.REPORT_FILE).read_text())
    assert report[TRAINED]["n"] == 3 and 0 <= report[HELD_OUT]["motion"] <= 1
    assert load_clip_judge(tmp_path / command.JUDGE_FILE).net.side == 32
