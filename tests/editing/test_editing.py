"""Editing keeps what it promises to keep, and knows nothing of what was removed."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import SamplingOptions, VARPipeline, generators_from_seeds
from var_core.editing import (
    EditOptions,
    Margins,
    check_mask,
    editor,
    known_window,
    window_around,
)
from var_core.editing.masks import feather, fill_holes, grow
from var_core.editing.windows import MAX_WINDOWS, Window
from var_core.images import upright
from var_core.sampling import ClosedLoop, Replay

PIPELINE = VARPipeline(make_tokenizer(), make_transformer(), make_labels())
SIZE = PIPELINE.image_shape[0]
CAT = [("animal", "cat", "flat")]
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr", "HSV")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    dice = np.random.default_rng(seed)
    return Image.fromarray(dice.integers(0, 256, (height, width, 3), dtype=np.uint8))


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "HSV" or mode == "YCbCr":
        return image.convert(mode)
    return image.convert(mode)


def box_mask(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    left, top, wide, high = box
    mask[top : top + high, left : left + wide] = True
    return mask


def centre(side: int = SIZE) -> np.ndarray:
    return box_mask(side, side, (side // 4, side // 4, side // 2, side // 2))


def band_of(width: int, height: int) -> int:
    return max(2, round(0.05 * min(width, height)))


def generator(seed: int = 1) -> list[torch.Generator]:
    return generators_from_seeds([seed])


shapes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(shapes, st.sampled_from(MODES), st.data())
def test_what_is_kept_stays_bit_for_bit(
    size: tuple[int, int], mode: str, data: st.DataObject
) -> None:
    width, height = size
    image = in_mode(noise(width, height, seed=width * 100 + height), mode)
    source = np.asarray(upright(image))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = (left, top, data.draw(st.integers(1, width)), data.draw(st.integers(1, height)))
    mask = box_mask(width, height, box)
    result = PIPELINE.edit(image, mask, CAT, generator=generator()).images[0]
    assert result.mode == "RGB" and result.size == size
    kept = ~grow(mask, band_of(width, height))
    assert np.array_equal(np.asarray(result)[kept], source[kept])

    sides = {name: data.draw(st.integers(0, 40)) for name in ("left", "right", "top", "bottom")}
    sides["right"] += not any(sides.values())
    if Margins(**sides) and len(list(Margins(**sides).windows(*size, (SIZE, SIZE)))) > 6:
        return
    result = PIPELINE.outpaint(image, Margins(**sides), CAT, generator=generator()).images[0]
    wide, high = width + sides["left"] + sides["right"], height + sides["top"] + sides["bottom"]
    assert result.size == (wide, high)
    place = box_mask(wide, high, (sides["left"], sides["top"], width, height))
    inner = ~grow(~place, band_of(wide, high))
    assert np.array_equal(np.asarray(result)[inner], padded(source, sides)[inner])

    varied = PIPELINE.vary(image, 2, CAT, generator=generator())
    assert varied.images[0].size == (SIZE, SIZE)
    again = PIPELINE.tokenize(upright(image))[0]
    assert all(map(torch.equal, varied.token_maps[:2], again[:2]))


def padded(source: np.ndarray, sides: dict[str, int]) -> np.ndarray:
    edges = ((sides["top"], sides["bottom"]), (sides["left"], sides["right"]), (0, 0))
    return np.pad(source, edges)


@pytest.mark.parametrize("size", [(SIZE, SIZE), (50, 37)])
def test_what_was_removed_has_no_influence(size: tuple[int, int]) -> None:
    mask = box_mask(*size, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    results = []
    for seed in (1, 2):
        picture = np.asarray(noise(*size)).copy()
        picture[mask] = np.asarray(noise(*size, seed=seed))[mask]
        result = PIPELINE.edit(Image.fromarray(picture), mask, CAT, generator=generator())
        results.append((np.asarray(result.images[0]), result.token_maps))
    (first, first_maps), (second, second_maps) = results
    assert np.array_equal(first, second)
    assert all(map(torch.equal, first_maps, second_maps))


def test_the_embedded_model_knows_nothing_of_what_was_removed(embedded: VARPipeline) -> None:
    mask, results = centre(256), []
    for colour in ("red", "black"):
        picture = noise(256, 256)
        picture.paste(colour, (64, 64, 192, 192))
        label = [{"thing": "apple"}]
        result = embedded.edit(picture, mask, label, generator=generator())
        results.append(np.asarray(result.images[0]))
    assert np.array_equal(*results)


def test_a_full_mask_is_plain_drawing() -> None:
    drawn = PIPELINE(CAT, generator=generator(4))
    edited = PIPELINE.edit(noise(SIZE, SIZE), np.ones((SIZE, SIZE)), CAT, generator=generator(4))
    assert all(map(torch.equal, drawn.token_maps, edited.token_maps))
    assert np.array_equal(np.asarray(drawn.images[0]), np.asarray(edited.images[0]))


def test_without_a_mask_the_rule_is_the_encoding_of_the_tokenizer() -> None:
    quantizer = PIPELINE.tokenizer.quantizer
    pixels = torch.from_numpy(np.asarray(noise(SIZE, SIZE)).copy()).permute(2, 0, 1)[None] / 127.5
    features = PIPELINE.tokenizer.encode_features(pixels.float() - 1)
    rule = ClosedLoop(quantizer, features, torch.zeros(1, 1, SIZE, SIZE))
    expected, latent = quantizer.encode(features), quantizer.empty_latent(1)
    for index, side in enumerate(quantizer.schedule.sides):
        codes = rule(index, torch.randn(1, quantizer.code_dim, side, side), latent)
        assert torch.equal(codes, quantizer.embed(expected.token_maps[index]))
        latent = quantizer.add_scale(latent, codes, index)


def test_replay_puts_back_the_tokens_of_kept_cells() -> None:
    quantizer = PIPELINE.tokenizer.quantizer
    maps = PIPELINE.tokenize(noise(SIZE, SIZE))[0]
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., SIZE // 2 :] = 1
    rule = Replay(quantizer, maps, mask)
    assert rule.forced_scales == {0}  # 1x1
    drawn = torch.full((1, quantizer.code_dim, 4, 4), 7.0)
    codes = rule(3, drawn, quantizer.empty_latent(1))
    assert torch.equal(codes[..., :2], quantizer.embed(maps[3])[..., :2])
    assert torch.equal(codes[..., 2:], drawn[..., 2:])


def test_null_labels_take_half_the_work_and_guidance_changes_nothing() -> None:
    rows: list[int] = []
    block = PIPELINE.transformer.blocks[0]
    handle = block.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    try:
        plain, guided, labelled = (
            PIPELINE.edit(
                noise(SIZE, SIZE),
                centre(),
                [label],
                SamplingOptions(guidance_scale=scale),
                generator=generator(),
            )
            for label, scale in ((None, 0.0), (None, 3.0), (CAT[0], 3.0))
        )
    finally:
        handle.remove()
    assert set(rows[:8]) == {1} and set(rows[8:]) == {2}
    assert np.array_equal(np.asarray(plain.images[0]), np.asarray(guided.images[0]))
    assert plain.labels == [PIPELINE.labels.null] and labelled.labels == [(0, 0, 0)]


def test_what_is_not_asked_for_stays_open() -> None:
    labels = [{"category": "fruit"}]
    result = PIPELINE.edit(noise(SIZE, SIZE), centre(), labels, generator=generator())
    assert result.labels == [(1, 4, 3)]


def test_streams_end_with_the_result_and_count_their_scales() -> None:
    image = noise(40, 30)
    mask = box_mask(40, 30, (5, 5, 20, 10))
    previews = list(PIPELINE.edit_stream(image, mask, CAT, generator=generator()))
    result = PIPELINE.edit(image, mask, CAT, generator=generator())
    assert [(one.number, one.total) for one in previews] == [(n, 4) for n in (1, 2, 3, 4)]
    assert np.array_equal(np.asarray(previews[-1].images[0]), np.asarray(result.images[0]))
    assert len(previews[-1].token_maps) == 4
    wide = list(PIPELINE.outpaint_stream(image, Margins(right=30), CAT, generator=generator()))
    assert [one.number for one in wide] == list(range(1, 9))
    assert {one.total for one in wide} == {8} and {one.images[0].size for one in wide} == {(70, 30)}
    assert [len(one.token_maps) for one in wide] == [1, 2, 3, 4] * 2
    varied = list(PIPELINE.vary_stream(image, 1, CAT, generator=generator()))
    assert [one.number for one in varied] == [1, 2, 3, 4]


def test_a_seed_gives_the_same_edit_alone_in_a_batch_and_beside_others() -> None:
    image, mask = noise(SIZE, SIZE), centre()
    labels = [CAT[0], ("fruit", "apple", "3d"), None]
    seeds = [5, 6, 7]

    def alone(place: int) -> np.ndarray:
        own = generators_from_seeds([seeds[place]])
        return np.asarray(PIPELINE.edit(image, mask, [labels[place]], generator=own).images[0])

    expected = [alone(place) for place in range(3)]
    together = PIPELINE.edit(image, mask, labels, generator=generators_from_seeds(seeds))
    assert all(map(np.array_equal, map(np.asarray, together.images), expected))
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda place=place: found.update({place: alone(place)}))
        for place in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[place], expected[place]) for place in range(3))


def test_the_best_of_several_is_the_likeliest_of_them() -> None:
    scores: list[Tensor] = []
    original = editor._likelihood

    def watched(*arguments: object) -> Tensor:
        scores.append(original(*arguments))
        return scores[-1]

    image, mask = noise(SIZE, SIZE), centre()
    editor._likelihood = watched
    try:
        best = PIPELINE.edit(
            image, mask, CAT, edit_options=EditOptions(best_of=4), generator=generator()
        )
    finally:
        editor._likelihood = original
    own = torch.randint(2**62, (4,), generator=generator()[0]).tolist()
    chosen = own[torch.stack(scores).argmax()]
    expected = PIPELINE.edit(image, mask, CAT, generator=[torch.Generator().manual_seed(chosen)])
    assert len(scores) == 4 and len({float(score) for score in scores}) > 1
    assert np.array_equal(np.asarray(best.images[0]), np.asarray(expected.images[0]))


def test_whoever_does_not_want_an_edit_need_not_wait_for_its_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[object] = []
    judge = editor._likelihood
    monkeypatch.setattr(editor, "_likelihood", lambda *of: tried.append(of) or judge(*of))
    image, sides, options = noise(SIZE, SIZE), Margins(left=9, right=9), EditOptions(best_of=3)
    steps = PIPELINE.outpaint_stream(image, sides, CAT, edit_options=options, generator=generator())
    first = next(steps)
    assert len(tried) == 1
    assert (first.number, first.token_maps) == (0, []) and first.images[0].size == (SIZE + 18, SIZE)
    numbers = [0, *(step.number for step in steps)]
    windows = range(0, first.total, 4)
    assert numbers == [done + more for done in windows for more in (0, 0, 0, 1, 2, 3, 4)]


def test_holes_are_filled_from_around_them() -> None:
    image = torch.full((1, 3, 20, 30), 0.5)
    holes = torch.zeros(1, 1, 20, 30)
    holes[..., 5:15, 5:25] = 1
    image[..., 5:15, 5:25] = float("nan")
    filled = fill_holes(image, holes)
    assert torch.allclose(filled, torch.full_like(filled, 0.5), atol=1e-6)
    assert torch.equal(fill_holes(image, torch.ones_like(holes)), torch.zeros_like(image))
    ramp = torch.linspace(-1, 1, 32).expand(1, 1, 32, 32)
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., 12:20, 12:20] = 1
    assert (fill_holes(ramp, hole) - ramp).abs().max() < 0.2  # goes on with what it was


@pytest.mark.parametrize("width", [0, 2, 3, 7])
def test_a_feather_is_one_on_the_mask_and_nothing_beyond_its_band(width: int) -> None:
    mask = centre(64)
    soft = feather(mask, width)
    assert (soft[mask] == 1).all() and (soft[~grow(mask, width)] == 0).all()
    assert ((soft >= 0) & (soft <= 1)).all()
    row = soft[32, 48:]
    assert (np.diff(row) <= 0).all() and (width < 2 or 0 < row[0] < 1)


def test_masks_grow_and_shrink() -> None:
    mask = centre(32)
    assert grow(mask, 3).sum() == 22 * 22 and grow(mask, -3).sum() == 10 * 10
    assert np.array_equal(grow(mask, 0), mask) and not grow(mask, -9).any()


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((64, 64), (16, 16, 32, 32), Window(0, 0, 64, 64)),
        ((300, 200), (40, 20, 70, 60), Window(5, 0, 140, 140)),
        ((300, 200), (290, 190, 10, 10), Window(280, 180, 20, 20)),
        ((300, 200), (100, 100, 2, 2), Window(97, 97, SIZE, SIZE)),
        ((300, 50), (0, 0, 300, 50), Window(0, -125, 300, 300)),
        ((8, 4), (0, 0, 1, 1), Window(0, 0, 4, 4)),
    ],
)
def test_windows_lie_around_the_mask(size: tuple, box: tuple, expected: Window) -> None:
    assert window_around(box_mask(*size, box), (SIZE, SIZE)) == expected


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((96, 64), (16, 16, 32, 32), Window(0, 0, 96, 64)),
        ((300, 200), (40, 20, 60, 20), Window(10, 0, 120, 80)),
        ((300, 200), (100, 100, 2, 2), Window(89, 93, 24, 16)),
        ((300, 50), (0, 0, 300, 50), Window(0, -75, 300, 200)),
        ((8, 4), (0, 0, 1, 1), Window(0, 0, 6, 4)),
    ],
)
def test_windows_of_a_wide_model_are_wide(size: tuple, box: tuple, expected: Window) -> None:
    assert window_around(box_mask(*size, box), (16, 24)) == expected


@settings(max_examples=80)
@given(shapes, st.tuples(*[st.integers(0, 90)] * 4), st.sampled_from([(8, 8), (16, 24), (24, 16)]))
def test_windows_grow_a_picture_until_nothing_is_unknown(
    size: tuple, sides: tuple, image_shape: tuple
) -> None:
    if not any(sides):
        sides = (1, 0, 0, 0)
    margins = Margins(*sides)
    width, height = size
    known = np.zeros((height + sides[1] + sides[3], width + sides[0] + sides[2]), bool)
    known[sides[1] : sides[1] + height, sides[0] : sides[0] + width] = True
    for window in margins.windows(width, height, image_shape):
        place = window.inside(*known.shape[::-1])
        view = known[place]
        assert view.shape == window.shape
        assert view.mean() >= 0.5 or min(window.shape) in (1, 3)
        assert not view.all()
        known[place] = True
    assert known.all()


class Odd:
    """Something that is no picture."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": np.zeros((20, 20))}, "the mask is empty: paint the area to change"),
        ({"mask": np.ones((20, 21))}, "same size, they have 21x20 and 20x20"),
        ({"mask": Image.new("L", (5, 5), 255)}, "they have 5x5 and 20x20"),
        ({"mask": np.full((20, 20), np.nan)}, "not NaN"),
        ({"mask": np.ones((20, 20, 3))}, r"\(height, width\) array"),
        ({"mask": "mask.png"}, r"\(height, width\) array"),
        ({"mask": None}, r"\(height, width\) array"),
        ({"image": Odd()}, "a picture must be a PIL picture, got Odd"),
        ({"class_labels": []}, "a list of 1 to"),
        ({"class_labels": ["cat"]}, "several attributes"),
        ({"options": SamplingOptions(top_k=33)}, "top_k must be a whole number from 0 to 32"),
    ],
)
def test_bad_edits_are_refused_before_anything_is_drawn(arguments: dict, message: str) -> None:
    whole = {"image": noise(20, 20), "mask": np.ones((20, 20)), **arguments}
    with pytest.raises(ValueError, match=message):
        PIPELINE.edit_stream(**whole)


@pytest.mark.parametrize(
    ("options", "values", "message"),
    [
        (EditOptions, {"rule": "magic"}, "rule must be one of closed_loop, replay"),
        (EditOptions, {"best_of": 9}, "best_of must be a whole number from 1 to 8"),
        (EditOptions, {"rule": "replay", "best_of": 2}, "best_of needs the rule closed_loop"),
        (SamplingOptions, {"guidance_scale": float("nan")}, "guidance_scale must be"),
    ],
)
def test_bad_options_are_refused_on_construction(options: type, values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**values)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ({}, "nothing to add"),
        ({"left": -1}, "left must be a whole number from 0"),
        ({"top": 1.5}, "top must be a whole number from 0"),
        ({"right": 8192}, "the limits are 8192 a side"),
        ({"right": 700}, f"needs more than {MAX_WINDOWS} windows of the model"),
    ],
)
def test_bad_margins_are_refused(sides: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PIPELINE.outpaint_stream(noise(20, 20), Margins(**sides))


def test_margins_that_need_millions_of_windows_are_refused_at_the_65th(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Window] = []
    windows = Margins.windows

    def counted(*arguments: Any) -> Iterator[Window]:
        for window in windows(*arguments):
            made.append(window)
            yield window

    monkeypatch.setattr(Margins, "windows", counted)
    with pytest.raises(ValueError, match=f"needs more than {MAX_WINDOWS} windows"):
        PIPELINE.outpaint_stream(noise(2, 2), Margins(right=4000, bottom=3000))
    assert len(made) == MAX_WINDOWS + 1


@pytest.mark.parametrize(
    ("size", "hidden", "left", "top"),
    [
        ((20, 10), (6, 0, 4, 10), 5, 0),  # more than half of the middle is known
        ((20, 10), (5, 0, 10, 10), 0, 0),
        ((20, 10), (4, 0, 10, 10), 10, 0),
        ((10, 40), (0, 10, 10, 20), 0, 0),
        ((40, 10), (17, 0, 15, 10), 7, 0),  # the nearest to the middle of those that see all
        ((10, 10), (1, 1, 9, 9), 0, 0),
        ((20, 10), (0, 0, 20, 10), 5, 0),
    ],
)
def test_the_window_that_tells_of_a_picture_sees_what_is_known(
    size: tuple[int, int], hidden: tuple[int, int, int, int], left: int, top: int
) -> None:
    assert known_window(box_mask(*size, hidden), (5, 5)) == Window(left, top, 10, 10)


@pytest.mark.parametrize("keep", [0, 4, True, None])
def test_bad_numbers_of_scales_are_refused(keep: object) -> None:
    with pytest.raises(ValueError, match="keep_scales must be a whole number from 1 to 3"):
        PIPELINE.vary_stream(noise(20, 20), keep, CAT)


def test_masks_of_pictures_are_cut_at_half_grey() -> None:
    mask = Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8))
    assert check_mask(mask, (4, 1)).tolist() == [[False, False, True, True]]
    assert check_mask(mask.convert("RGBA"), (4, 1)).tolist() == [[False, False, True, True]]
    assert EditOptions() == EditOptions("closed_loop", 1)
