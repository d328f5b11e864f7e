"""`python -m var_core animate`: files, recipes, and one sentence for what cannot be done."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clip_models import FRAMES, SIDE, make_clip_tokenizer, make_clip_transformer
from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARClipPipeline, VARPipeline
from var_core.animations import read_animation
from var_core.command_line.clip_command import read_start
from var_core.command_line.main import main
from var_core.jobs.clip_files import read_clip_recipe

SHARED = 5  # frames that a part goes on from


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "clips"
    VARClipPipeline(make_clip_tokenizer(), make_clip_transformer()).save_pretrained(folder)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    dice = np.random.default_rng(0)
    pixels = dice.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "first.png")
    return tmp_path / "first.png"


def frames(path: Path) -> np.ndarray:
    return np.stack([np.asarray(frame) for frame in read_animation(path, 8)])


def test_animate_writes_a_clip_with_its_recipe(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "clip.webp"
    command = ["animate", "--model", str(model), "--class", "3", "--seed", "7", "--out", str(out)]
    assert main(command) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert frames(out).shape == (FRAMES, SIDE, SIDE, 3)
    recipe = read_clip_recipe(out)
    assert recipe["seed"] == 7 and recipe["labels"] == {"class": "3"}
    assert recipe["frames"] == FRAMES and recipe["loop"] is False and "kept" not in recipe
    first = out.read_bytes()
    main(command)
    assert out.read_bytes() == first


def test_count_numbers_files_and_seeds(model: Path, tmp_path: Path) -> None:
    command = ["animate", "--model", str(model), "--seed", "5", "--loop"]
    assert main([*command, "--count", "2", "--out", str(tmp_path / "many.webp")]) == 0
    recipe = read_clip_recipe(tmp_path / "many-1.webp")
    assert recipe["seed"] == 6 and recipe["loop"] is True
    assert len(frames(tmp_path / "many-0.webp")) == FRAMES - 1


def test_a_picture_is_animated_and_a_clip_goes_on(
    model: Path, picture: Path, tmp_path: Path
) -> None:
    out, more = tmp_path / "clip.webp", tmp_path / "more.gif"
    command = ["animate", "--model", str(model), "--seed", "1"]
    assert main([*command, "--image", str(picture), "--out", str(out)]) == 0
    assert len(read_clip_recipe(out)["kept"]) == 4
    again = tmp_path / "again.webp"
    main([*command[:-1], "2", "--image", str(picture), "--out", str(again)])
    assert np.array_equal(frames(out)[0], frames(again)[0])
    assert not np.array_equal(frames(out)[-1], frames(again)[-1])
    assert main([*command, "--image", str(out), "--frames", "21", "--out", str(more)]) == 0
    assert len(frames(more)) == 21
    assert main([*command, "--image", str(out), "--out", str(again)]) == 0
    assert read_clip_recipe(again) is None


@pytest.mark.parametrize("kind", ["png", "webp", "gif"])
def test_a_picture_of_the_user_may_be_of_any_size_and_kind(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"large.{kind}"
    Image.new("1", (8200, 10)).save(path)  # of visitors, 8192 pixels a side are read
    (start,) = read_start(path)
    assert start.size == (8200, 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frames", "14"], "13, 21, 29, ... or 133 frames, got 14"),
        (["--frames", "-1"], "frames must be a whole number from 0 to 10000, got -1"),
        (["--out", "clip.png"], "clips are written as .webp, .gif, .mp4, not as 'clip.png'"),
        (["--image", "none.webp"], "there is no file none.webp"),
        (["--image", "none.png"], "there is no file none.png"),
        (["--class", "11"], "11"),
        (["--count", "65"], "count must be a whole number from 1 to 64"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str], message: str
) -> None:
    out = tmp_path / "clip.webp"
    assert main(["animate", "--model", str(model), "--out", str(out), *words]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and message in errors[0]
    assert not out.exists()


def test_info_describes_clips(model: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "--model", str(model)]) == 0
    told = capsys.readouterr().out
    assert f"clips       {FRAMES} frames, 8 a second" in told and "(2, 1, 1)" in told


def test_a_damaged_animation_is_one_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    broken = tmp_path / "broken.webp"
    broken.write_bytes(b"RIFF\x10\0\0\0WEBPVP8X")
    assert main(["animate", "--model", str(model), "--image", str(broken)]) == 2
    assert capsys.readouterr().err.strip() == (
        "error: broken.webp is not a readable WebP, GIF or PNG animation"
    )


def test_a_model_of_pictures_draws_no_clips_and_the_other_way_round(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    still = tmp_path / "still"
    VARPipeline(make_tokenizer(), make_transformer(), make_labels()).save_pretrained(still)
    assert main(["animate", "--model", str(still)]) == 2
    assert "is a model of pictures, and one of clips is needed" in capsys.readouterr().err
    assert main(["generate", "--model", str(model)]) == 2
    assert "is a model of clips, and one of pictures is needed" in capsys.readouterr().err
