"""A tokenizer of clips is trained by the command that trains one of pictures."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.tiny import different, final_weights, run_tokenizer
from tests.training.tiny_clips import (
    COMMON,
    MAPS,
    SIDE,
    picture_tokenizer,
    run_clip_tokenizer,
    save_picture_tokenizer,
)
from training import train_tokenizer
from training.data.motion.clips import MOTION_FILE
from training.data.motion.making import NUM_FRAMES
from training.loop.optim import parameter_groups
from training.tokenizer.new_tokenizer import optimizer_groups
from var_core.checkpoints import load_tokenizer
from var_core.tokenizer.inflation import IN_TIME


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.train_loop.LOG_EVERY", 12)
    monkeypatch.setattr("training.tokenizer.run.MAX_EVALUATED", 3 * NUM_FRAMES)


@pytest.fixture
def initial(tmp_path: Path) -> Path:
    return save_picture_tokenizer(tmp_path / "pictures")


def test_the_loss_falls_on_clips(motion: Path, initial: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    more = "--perceptual-view half --change-weight 0.5 --latent-noise 0.1 --scale-dropout 0.2"
    assert run_clip_tokenizer(motion, initial, out, 24, *more.split()) == 0
    first, last = (json.loads(line) for line in (out / "log.jsonl").read_text().splitlines())
    assert last["l1"] < first["l1"] and last["changes"] > 0
    assert len(last["entropy_bits_per_scale"]) == 4
    assert last["validation_psnr"] > 5
    tokenizer = load_tokenizer(out / "tokenizer")
    assert tokenizer.num_frames == 17 and tokenizer.image_shape == (SIDE, SIDE)
    assert tokenizer.sketch is None  # it would draw as the network did before
    assert list(out.glob("sheet-*.png"))


def test_the_first_steps_leave_pictures_as_they_are(
    motion: Path, initial: Path, tmp_path: Path
) -> None:
    more = ("--time-steps", "4", "--restart-every", "1")
    assert run_clip_tokenizer(motion, initial, tmp_path / "time", 4, *more) == 0
    before = picture_tokenizer().state_dict()
    after = final_weights(tmp_path / "time")
    for name, value in before.items():
        if not name.startswith("sketch."):
            assert torch.equal(after[f"weights.{name}"], value)
    assert run_clip_tokenizer(motion, initial, tmp_path / "all", 5, *more) == 0
    after = final_weights(tmp_path / "all")
    first = "encoder.conv_in.weight"
    assert not torch.equal(after[f"weights.{first}"], before[first])


def test_a_run_of_clips_resumes_bit_for_bit(motion: Path, initial: Path, tmp_path: Path) -> None:
    more = ("--time-steps", "2", "--restart-every", "2")
    assert run_clip_tokenizer(motion, initial, tmp_path / "whole", 6, *more) == 0
    kept = tmp_path / "parts" / "step-00000003"
    kept.parent.mkdir()
    (tmp_path / "whole" / kept.name).rename(kept)
    assert run_clip_tokenizer(motion, initial, tmp_path / "parts", 6, *more) == 0
    weights = final_weights(tmp_path / "parts")
    assert not different(weights, final_weights(tmp_path / "whole"))


def test_a_tokenizer_of_clips_is_trained_further(
    motion: Path, initial: Path, tmp_path: Path
) -> None:
    assert run_clip_tokenizer(motion, initial, tmp_path / "a", 2) == 0
    trained = tmp_path / "a" / "tokenizer"
    assert run_clip_tokenizer(motion, trained, tmp_path / "b", 2, "--decoder-only") == 0
    before, after = (load_tokenizer(tmp_path / one / "tokenizer").state_dict() for one in "ab")
    changed = different(before, after)
    assert changed and all(
        name.startswith(("decoder.", "post_quant.", "time_up.")) for name in changed
    )


def test_the_optimizer_of_pictures_is_as_it_was() -> None:
    tokenizer = picture_tokenizer()
    expected = parameter_groups(tokenizer.named_parameters(), 0.1)
    groups = optimizer_groups(tokenizer, 0.1)
    assert [len(group["params"]) for group in groups] == [len(g["params"]) for g in expected]
    assert not any(group["in_time"] for group in groups)
    assert not any(name.startswith(IN_TIME) for name, _ in tokenizer.named_parameters())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--clip-frames 2", "clip_frames has 1 numbers, clip_sides 2"),
        ("--adversarial-weight 0.3", "adversarial_weight is for pictures"),
        ("--clip-frames 2 2 --clip-sides 1 1", "no side may exceed|begin with its first frame"),
        ("--frame-stride 3", "frame_stride must be one of 1, 2, 4, 8"),
        ("--frame-stride 4", "the data are clips of 17 frames, the tokenizer takes clips of 9"),
        ("--clip-frames 1 2", "clip_frames must be at least 2"),
    ],
)
def test_what_does_not_fit_clips_is_one_sentence(
    motion: Path,
    initial: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    more: str,
    said: str,
) -> None:
    assert run_clip_tokenizer(motion, initial, tmp_path / "run", 4, *more.split()) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error")]
    assert any(part in line for part in said.split("|")), line


def test_pictures_and_clips_are_not_mixed_up(
    motion: Path, data: Path, initial: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    clips = f"--sides 1 2 8 --stem-patch 8 --level-channels 32 {MAPS} --clip-sides 8 8".split()
    assert run_tokenizer(data, tmp_path / "a", 4, *clips) == 2
    assert "the data are pictures, the tokenizer takes clips of 17" in capsys.readouterr().err
    words = f"--data {motion} --initial {initial} --out {tmp_path}/b --steps 2 {COMMON}"
    assert train_tokenizer.main(words.split()) == 2
    assert "clips of 17 frames, the tokenizer takes pictures" in capsys.readouterr().err
    assert run_tokenizer(data, tmp_path / "c", 4, "--change-weight", "1") == 2
    assert "change_weight and time_steps are for clips" in capsys.readouterr().err


def test_damaged_motions_are_one_sentence(
    motion: Path, initial: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    damaged = tmp_path / "motion"
    damaged.mkdir()
    for text in (
        '{"scenes": 1}',
        "[]",
        '{"scenes": "x", "side": 64}',
        '{"scenes": "x", "side": 0}',
    ):
        (damaged / MOTION_FILE).write_text(text)
        assert run_clip_tokenizer(damaged, initial, tmp_path / "run", 2) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ") and said.count("\n") == 1, said
