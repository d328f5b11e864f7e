"""Figures of clips: right on clips whose figures are known, and as a command."""

import json
from pathlib import Path

import pytest
import torch

from tests.clip_models import CLIP
from tests.conftest import make_tokenizer
from tests.training.data.tiny_sprites import write_sprites
from training.data.scenes import SpriteTable, read_table
from training.evaluation.clips import reconstruction
from training.evaluation.clips.figures import flicker, liveliness, psnr_by_frame
from training.evaluation.clips.reconstruction import clip_figures, validation_clips
from var_core import MultiScaleVQVAE
from var_core.tokenizer.inflation import inflate_tokenizer

SIDE = 16  # the smallest that scenes are painted at


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SpriteTable:
    return read_table(write_sprites(tmp_path_factory.mktemp("sprites") / "scenes"))


def tokenizer_of_clips() -> MultiScaleVQVAE:
    picture = (1, 2, 3, 8)
    sides = (*picture, *CLIP[4:-1], (3, 8, 8))
    return inflate_tokenizer(make_tokenizer(picture), sides, 4, torch.Generator().manual_seed(0))


def test_psnr_is_that_of_each_frame() -> None:
    real = torch.zeros(2, 3, 4, 5, 5)
    made = real.clone()
    made[:, :, 1] += 0.2  # a tenth of the range
    made[1, :, 2] -= 0.02
    found = psnr_by_frame(made, real)
    assert found.shape == (2, 4)
    assert torch.allclose(found[:, 1], torch.tensor(20.0), atol=1e-4)
    assert found[1, 2].item() == pytest.approx(40, abs=1e-3) and found[0, 0] == 100


def test_flicker_counts_changes_where_the_scene_has_none() -> None:
    real = torch.zeros(1, 3, 3, 2, 2)
    real[:, :, 1:, 0] = 1.0  # the upper half changes once
    made = real.clone()
    assert flicker(made, real).item() == 0
    made[:, :, 1, 1] = 2 / 255  # one step up and down in the lower half
    # 4 changes of one step; 4 pixels are steady below, 2 above at the second change
    assert flicker(made, real).item() == pytest.approx(4 / 6, rel=1e-4)
    assert flicker(made, torch.rand_like(real)).item() == 0
    assert liveliness(real).item() == pytest.approx(127.5 * 2 / 8)


def test_validation_clips_are_scenes_that_move(table: SpriteTable) -> None:
    batches = list(validation_clips(table, SIDE, 13, 5))
    assert [batch.shape for batch in batches] == [(4, 3, 13, SIDE, SIDE), (1, 3, 13, SIDE, SIDE)]
    assert liveliness(torch.cat(batches)).max() > 0.5


def test_a_command_prints_the_figures(
    table: SpriteTable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tokenizer_of_clips().save_pretrained(tmp_path)
    words = ["--tokenizer", str(tmp_path), "--scenes", str(table.folder), "--count", "3"]
    assert reconstruction.main(words) == 0
    figures = json.loads(capsys.readouterr().out)
    assert len(figures["psnr_by_frame"]) == 13
    assert figures["psnr"] == pytest.approx(sum(figures["psnr_by_frame"]) / 13, rel=1e-4)
    assert figures["flicker"] >= 0 and figures["real_liveliness"] > 0


def test_a_tokenizer_of_pictures_is_refused(table: SpriteTable) -> None:
    with pytest.raises(ValueError, match="a tokenizer of square clips is needed"):
        clip_figures(make_tokenizer(), table, 1)
