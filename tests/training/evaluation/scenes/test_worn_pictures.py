"""Worn pictures keep what people see, and lose the texture of single pixels."""

from pathlib import Path

import pytest
import torch

from training.data.scenes import SpriteTable
from training.evaluation.features import load_features
from training.evaluation.scenes.judge_training import JudgeTraining, SceneJudgeOptions, soften
from training.evaluation.scenes.questions import topics_of
from training.evaluation.scenes.worn_pictures import CHANGES, Wear, cosine_basis, wear
from training.loop.picture_random import PictureRandom


def pictures(count: int, height: int = 40, width: int = 36) -> torch.Tensor:
    """Two flat halves of random colours: (count, 3, height, width)."""
    halves = torch.rand(count, 3, 1, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    return halves.repeat_interleave(width // 2, dim=3).expand(-1, -1, height, -1).contiguous()


def test_some_pictures_are_worn_and_the_others_are_as_they_were() -> None:
    images = pictures(64)
    worn = wear(images, PictureRandom(0, 0, range(64)), 0.5)
    same = [torch.equal(one, other) for one, other in zip(images, worn, strict=True)]
    assert 20 < sum(same) < 44
    assert torch.equal(wear(images, PictureRandom(0, 0, range(64)), 0.0), images)
    extremes = wear(images.sign(), PictureRandom(0, 0, range(64)), 1.0)
    assert extremes.min() >= -1 and extremes.max() <= 1


def test_the_wear_of_a_picture_does_not_depend_on_the_others() -> None:
    images = pictures(5)
    together = wear(images, PictureRandom(3, 1, range(5)), 1.0)
    alone = wear(images[2:3], PictureRandom(3, 1, [2]), 1.0)
    torch.testing.assert_close(together[2:3], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_keeps_large_shapes(change: Wear) -> None:
    images = pictures(8)
    changed = change(images, PictureRandom(0, 0, range(8)))
    assert changed.shape == images.shape and not torch.equal(changed, images)
    for rows, columns in ((slice(None), slice(0, 10)), (slice(None), slice(-10, None))):
        before = images[..., rows, columns].mean((2, 3))
        assert (changed[..., rows, columns].mean((2, 3)) - before).abs().max() < 0.15


@pytest.mark.parametrize("change", CHANGES[:3])
def test_fine_texture_is_lost(change: Wear) -> None:
    flat = torch.full((8, 3, 32, 32), 0.25)
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 0.1 - 0.05
    changed = change(flat + checks, PictureRandom(0, 0, range(8)))[..., 4:-4, 4:-4]
    assert changed.std(dim=(1, 2, 3)).median() < 0.5 * 0.05


def test_the_cosines_of_a_block_are_orthonormal() -> None:
    torch.testing.assert_close(cosine_basis() @ cosine_basis().T, torch.eye(8))


def test_a_judge_sees_worn_scenes_where_it_is_asked_to(
    table: SpriteTable, nets: Path, tmp_path: Path
) -> None:
    def batch(part: float) -> torch.Tensor:
        options = SceneJudgeOptions(steps=1, batch_size=8, hidden=8, side=32, wear=part)
        net, folder = load_features(nets, 32), tmp_path / str(part)
        training = JudgeTraining(table, topics_of(table), net, folder, 0, options)
        images, scenes = training.batch(0, 8)
        clean = training.renderer.render(scenes, 32)
        softened = soften(clean, PictureRandom(0, 0, range(8)))
        assert torch.equal(images, softened) == (part == 0)
        return images

    assert not torch.equal(batch(0.0), batch(1.0))
