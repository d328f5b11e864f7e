"""The judge of scenes learns, resumes, and comes back from its file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import different, final_weights
from training.data.scenes import SpriteTable, make_validation_scene
from training.evaluation.features import load_features
from training.evaluation.judge_run import rate_factor
from training.evaluation.scenes import judge as command
from training.evaluation.scenes.decisions import RIGHT
from training.evaluation.scenes.judge_network import (
    SceneJudge,
    Scores,
    judge_images,
    load_scene_judge,
    save_scene_judge,
)
from training.evaluation.scenes.judge_training import JudgeTraining, SceneJudgeOptions, judge_loss
from training.evaluation.scenes.questions import (
    QUESTIONS,
    THINGS,
    right_answers,
    things_of,
    topics_of,
)

SMALL = SceneJudgeOptions(steps=4, save_every=2, batch_size=8, hidden=16, side=32)


def training_of(
    table: SpriteTable, nets: Path, folder: Path, options: SceneJudgeOptions = SMALL
) -> JudgeTraining:
    return JudgeTraining(table, topics_of(table), load_features(nets, 32), folder, 0, options)


def test_scores_have_a_logit_for_every_thing_and_answer(
    judge: SceneJudge, table: SpriteTable
) -> None:
    scores = judge_images(judge, torch.rand(3, 3, 48, 48) * 2 - 1, batch_size=2)
    assert scores.things.shape == (3, len(table.things))
    topics = topics_of(table)
    assert {name: one.shape[1] for name, one in scores.answers.items()} == {
        name: len(topics.answers[name]) for name in QUESTIONS
    }


def test_a_thing_counts_wherever_it_is(table: SpriteTable) -> None:
    torch.manual_seed(0)
    judge = SceneJudge(topics_of(table), hidden=8, side=64).eval()
    late = torch.zeros(2, 1280, 2, 2)
    late[0, 5, 0, 0] = late[1, 5, 1, 1] = 6.0
    judge.net.late_maps = lambda maps: late
    early = torch.zeros(2, 112, 4, 4)
    things = judge.score(early).things
    assert torch.allclose(things[0], things[1])


def test_the_loss_is_lowest_for_the_right_answers(table: SpriteTable) -> None:
    scenes = [make_validation_scene(table, index) for index in range(6)]
    topics = topics_of(table)
    things = torch.full((6, len(topics.things)), -4.0)
    answers = {name: torch.zeros(6, len(topics.answers[name])) for name in QUESTIONS}
    losses = [judge_loss(Scores(things, answers), scenes).item()]
    for row, scene in enumerate(scenes):
        things[row, list(things_of(scene))] = 2.0
    losses.append(judge_loss(Scores(things, answers), scenes).item())
    for name in QUESTIONS:
        for row, scene in enumerate(scenes):
            answers[name][row, right_answers(scene)[name]] += 5.0  # the last one where unasked
        losses.append(judge_loss(Scores(things, answers), scenes).item())
    assert losses == sorted(losses, reverse=True) and len(set(losses)) == len(losses)


def test_training_lowers_the_loss_and_leaves_the_early_blocks(
    table: SpriteTable, nets: Path, tmp_path: Path
) -> None:
    options = replace(SMALL, steps=12, head_learning_rate=0.02)
    training = training_of(table, nets, tmp_path, options)
    before = {name: one.clone() for name, one in training.judge.state_dict().items()}
    losses = [training._train_step() for _ in range(12)]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    after = training.judge.state_dict()
    assert torch.equal(after["net.stem.weight"], before["net.stem.weight"])
    assert not torch.equal(after["net.head.weight"], before["net.head.weight"])


def test_a_resumed_run_ends_with_the_same_weights(
    table: SpriteTable, nets: Path, tmp_path: Path
) -> None:
    training_of(table, nets, tmp_path / "whole").run()
    training_of(table, nets, tmp_path / "parts").run(stop_after=2)
    resumed = training_of(table, nets, tmp_path / "parts")
    assert resumed.step == 2
    resumed.run()
    assert not different(final_weights(tmp_path / "whole"), final_weights(tmp_path / "parts"))


def test_another_setting_does_not_go_on_with_a_run(
    table: SpriteTable, nets: Path, tmp_path: Path
) -> None:
    training_of(table, nets, tmp_path).run(stop_after=2)
    with pytest.raises(ValueError, match=r"other settings \(options\)"):
        training_of(table, nets, tmp_path, replace(SMALL, steps=6))


def test_a_saved_judge_comes_back_frozen(judge: SceneJudge, tmp_path: Path) -> None:
    save_scene_judge(judge, tmp_path / "judge.safetensors")
    loaded = load_scene_judge(tmp_path / "judge.safetensors")
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(judge_images(loaded, images).things, judge_images(judge, images).things)
    assert loaded.topics == judge.topics
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_missing_or_damaged_judge_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    with pytest.raises(ValueError, match=r"missing; run: python -m training\.evaluation\.scenes"):
        load_scene_judge(path)
    path.write_bytes(b"not a judge")
    with pytest.raises(ValueError, match=r"damaged.*training\.evaluation\.scenes\.judge"):
        load_scene_judge(path)


def test_the_command_trains_measures_and_reports(
    sprites: Path, nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PICTURE_SIDE", 32)
    words = f"--data {sprites} --nets {nets} --out {tmp_path} --steps 2 --num-validation 9 "
    assert command.main((words + "--batch-size 4 --hidden 8 --side 32").split()) == 0
    report = json.loads((tmp_path / command.REPORT_FILE).read_text())
    assert report["validation"][THINGS]["n"] == report["validation"]["style"]["n"] == 9
    assert report["validation"]["time"]["n"] < 9
    parts = [report.get(f"validation_with_{count}_things") for count in (1, 2, 3)]
    assert sum(part[THINGS]["n"] for part in parts if part) == 9
    assert load_scene_judge(tmp_path / command.JUDGE_FILE).hidden == 8


def test_the_command_needs_sprites(nets: Path, tmp_path: Path, capsys) -> None:
    assert command.main(["--data", str(tmp_path), "--nets", str(nets)]) == 2
    assert "training.prepare.scenes" in capsys.readouterr().err


def test_accuracies_count_what_was_asked() -> None:
    found = command.accuracies({THINGS: RIGHT * 3 + "0", "time": "1--0", "weather": "----"})
    assert found[THINGS]["value"] == 0.75 and found["time"]["n"] == 2 and "weather" not in found


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    factors = [rate_factor(step / 10) for step in range(1, 11)]
    assert factors[:2] == [0.5, 1.0] and factors[-1] == pytest.approx(0.0)
    assert factors[1:] == sorted(factors[1:], reverse=True)
