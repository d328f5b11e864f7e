"""Joining a drawing with a picture costs what the window costs, and gives the same pixels."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from tests.editing.slow_seam import slow_composite, slow_feather, slow_grow
from tests.editing.test_editing import CAT, PIPELINE, box_mask, generator, noise
from var_core.editing import Margins, window_around
from var_core.editing.boxes import boxes_apart
from var_core.editing.masks import feather, feather_width, grow
from var_core.editing.seam import Seam

SEEDS = range(24)


def some_mask(dice: np.random.Generator) -> np.ndarray:
    height, width = dice.integers(1, 120, 2).tolist()
    mask = np.zeros((height, width), bool)
    for _ in range(dice.integers(1, 4)):
        top, left = dice.integers(0, height), dice.integers(0, width)
        high, wide = dice.integers(1, height // 2 + 2), dice.integers(1, width // 2 + 2)
        mask[top : top + high, left : left + wide] = True
    return mask


@pytest.mark.parametrize("seed", SEEDS)
def test_growing_and_feathering_give_what_pooling_gives(seed: int) -> None:
    dice = np.random.default_rng(seed)
    mask = some_mask(dice)
    for width in (0, 1, int(dice.integers(2, 60))):
        assert np.array_equal(feather(mask, width), slow_feather(mask, width))
        assert np.array_equal(grow(mask, width), slow_grow(mask, width))
        assert np.array_equal(grow(mask, -width), slow_grow(mask, -width))


@pytest.mark.parametrize("band", [0, None])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seam_gives_the_pixels_of_the_slow_path(seed: int, band: int | None) -> None:
    dice = np.random.default_rng(seed)
    mask = some_mask(dice)
    picture = dice.integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    drawn = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    window, band = window_around(mask, (16, 16)), feather_width(mask) if band is None else band
    seam = Seam(mask, window, band)
    result = Image.fromarray(picture)
    for (rows, columns), image, _ in seam.join(seam.ground(picture[seam.inside]), drawn):
        result.paste(image, (columns.start, rows.start))
    assert np.array_equal(result, slow_composite(picture, drawn, mask, window, band))


def scattered(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Small marks in two opposite corners and at some other places."""
    dice = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    places = [(0, 0), (shape[0] - 4, shape[1] - 3)]
    places += [(dice.integers(shape[0]), dice.integers(shape[1])) for _ in range(seed)]
    for top, left in places:
        mask[top : top + 4, left : left + 3] = True
    return mask


@pytest.mark.parametrize(
    ("shape", "seed", "band"),
    [
        ((600, 620), 0, 9),
        ((520, 560), 3, 16),
        ((700, 760), 2, 8),
        ((320, 1300), 1, 6),
        ((1300, 320), 2, 6),
        ((330, 700), 1, 0),
    ],
)
def test_marks_far_apart_give_the_pixels_of_the_slow_path(
    shape: tuple[int, int], seed: int, band: int
) -> None:
    mask = scattered(shape, seed)
    picture = np.asarray(noise(*shape[::-1], seed=seed))
    drawn = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    window = window_around(mask, (16, 16))
    seam = Seam(mask, window, band)
    assert len(seam.parts) > 1
    result = Image.fromarray(picture)
    for (rows, columns), image, _ in seam.join(seam.ground(picture[seam.inside]), drawn):
        result.paste(image, (columns.start, rows.start))
    assert np.array_equal(result, slow_composite(picture, drawn, mask, window, band))


class MadeTensors(TorchDispatchMode):
    """Counts the elements of all tensors that are made meanwhile, and those of the largest."""

    total = largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.total += made.numel()
            self.largest = max(self.largest, made.numel())
        return made


def work_of_an_edit(
    size: tuple[int, int], stroke: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> tuple[MadeTensors, int, Image.Image]:
    """Tensors, copies of whole pictures, and the result of one stroke on a picture."""
    picture, mask = noise(*size), box_mask(*size, (120, 110, *stroke))
    copies, copy = [], Image.Image.copy

    def counted(image: Image.Image) -> Image.Image:
        if image.size == size:
            copies.append(image)
        return copy(image)

    with monkeypatch.context() as patch, MadeTensors() as made:
        patch.setattr(Image.Image, "copy", counted)
        result = PIPELINE.edit(picture, mask, CAT, generator=generator()).images[0]
    assert isinstance(result, Image.Image)
    return made, len(copies), result


@pytest.mark.parametrize("stroke", [(20, 6), (60, 20)])
def test_a_stroke_on_a_large_picture_costs_what_its_window_costs(
    stroke: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    work_of_an_edit((300, 280), stroke, monkeypatch)  # the first one lays out the weights
    small, small_copies, _ = work_of_an_edit((300, 280), stroke, monkeypatch)
    large, large_copies, result = work_of_an_edit((1800, 1500), stroke, monkeypatch)
    assert large.largest == small.largest
    assert large.total < 1.1 * small.total  # its band is wider
    assert large_copies == small_copies == 2  # of the given picture, and for the result
    assert result.size == (1800, 1500)


def test_marks_in_two_corners_cost_their_surroundings_not_the_picture() -> None:
    picture, mask = noise(2000, 2000), scattered((2000, 2000), 0)
    with MadeTensors() as made:
        *sketches, last = PIPELINE.edit_stream(picture, mask, CAT, generator=generator())
    assert made.largest < 2000 * 2000
    near = grow(mask, feather_width(mask))
    for step in (sketches[0], last):
        changed = (np.asarray(step.images[0]) != np.asarray(picture)).any(axis=2)
        assert not changed[~near].any() and changed[mask].mean() > 0.9
    sent = pickle.loads(pickle.dumps(sketches[0].images))
    assert np.array_equal(sent[0], sketches[0].images[0])


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_boxes_hold_all_of_a_mask_with_a_margin_and_do_not_meet(seed: int, margin: int) -> None:
    dice = np.random.default_rng(seed)
    mask = np.zeros(dice.integers(1, 80, 2), bool)
    mask[dice.integers(0, mask.shape[0], 6), dice.integers(0, mask.shape[1], 6)] = True
    times = np.zeros(mask.shape, int)
    for box in boxes_apart(mask, margin):
        times[box] += 1
    assert times.max() == 1 and (times[grow(mask, margin)] == 1).all()


def test_previews_of_an_edit_are_put_together_when_they_are_looked_at() -> None:
    picture, mask = noise(90, 80), box_mask(90, 80, (30, 40, 20, 6))
    steps = list(PIPELINE.edit_stream(picture, mask, CAT, generator=generator()))
    result = PIPELINE.edit(picture, mask, CAT, generator=generator()).images[0]
    assert np.array_equal(np.asarray(steps[-1].images[0]), np.asarray(result))
    assert [one.images[0].size for one in steps] == [(90, 80)] * len(steps)
    window = np.asarray(steps[0].images[0]) != np.asarray(picture)
    assert window.any() and not window[:20].any()


def test_later_windows_see_what_earlier_ones_drew() -> None:
    margins = Margins(right=40)
    steps = list(PIPELINE.outpaint_stream(noise(16, 16), margins, CAT, generator=generator()))
    first_window = np.asarray(steps[3].images[0])[:, :20]
    assert np.array_equal(np.asarray(steps[-1].images[0])[:, :20], first_window)
