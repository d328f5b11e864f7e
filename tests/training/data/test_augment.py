"""Pictures are changed at random without showing what is not in them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.tiny import random_of, tokenizer_arguments
from training.data.augment import Augmentation, lie_on_white, move_at_random
from training.data.prepared_pictures import PreparedPictures
from training.loop.checkpoint import step_generator
from training.loop.command_line import parse_settings
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings


def drawings(count: int) -> np.ndarray:
    """A dark square on white."""
    images = np.full((count, 32, 32, 3), 255, np.uint8)
    images[:, 8:24, 8:24] = 40
    return images


def test_pictures_on_white_are_told_from_photographs() -> None:
    photographs = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    assert lie_on_white(drawings(2))
    assert not lie_on_white(photographs)
    assert not lie_on_white(np.concatenate((photographs, drawings(2))))
    assert not lie_on_white(255 - drawings(2))


def test_crops_show_nothing_but_the_picture() -> None:
    """Zooming out on white gives photographs white borders; crops never do."""
    dark = torch.full((64, 3, 16, 16), -0.8)
    cropped = move_at_random(dark, "crop", random_of(len(dark)), zoom=(0.5, 1.0))
    assert torch.allclose(cropped, dark, atol=1e-5)
    ramp = torch.linspace(-1, 1, 16).expand(64, 3, 16, 16)
    slope = move_at_random(ramp, "crop", random_of(len(ramp)), zoom=(0.5, 1.0)).diff(dim=3)
    shares = slope[:, 0, 8, 4:12].mean(dim=1) / (2 / 15)  # sides of the squares
    assert 0.5 <= shares.min() < 0.6 and 0.9 < shares.max() <= 1.001
    zoomed = move_at_random(dark, "white", random_of(len(dark)), zoom=(0.5, 1.0))
    assert zoomed.amax() > 0.9


def test_nothing_is_changed_where_that_is_switched_off() -> None:
    images = torch.rand(8, 3, 16, 16, generator=step_generator(0, 0)) * 2 - 1
    assert torch.equal(Augmentation("none").change(images, random_of(8)), images)
    assert torch.equal(Augmentation("crop", share=0.0).change(images, random_of(8)), images)
    flipped = Augmentation("none", flip=True).change(images, random_of(8))
    is_flipped = [torch.equal(a, b.flip(2)) for a, b in zip(flipped, images, strict=True)]
    assert 0 < sum(is_flipped) < 8


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Augmentation("crop", flip=True, share=0.5)),
        ("--augmentation white --augmented-share 1", Augmentation("white", flip=True, share=1.0)),
        ("--augmentation none --no-flip", Augmentation("none", flip=False, share=0.5)),
    ],
)
def test_a_tokenizer_run_changes_pictures_as_it_is_told(
    data: Path, tmp_path: Path, words: str, expected: Augmentation
) -> None:
    arguments = [*tokenizer_arguments(data, tmp_path / "run", 2), *words.split()]
    run = TokenizerRun(parse_settings(TokenizerSettings, arguments, ""))
    assert run.pictures.augmentation == expected


def test_only_training_pictures_decide_what_they_lie_on(data: Path) -> None:
    images = np.load(data / "images.npy")
    splits = json.loads((data / "splits.json").read_text())
    images[splits["train"]] = 255
    np.save(data / "images.npy", images)
    assert PreparedPictures.open(data, Augmentation("auto")).augmentation.kind == "white"
    assert PreparedPictures.open(data).augmentation.kind == "none"
