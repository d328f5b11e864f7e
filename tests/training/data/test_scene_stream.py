"""Held-out combinations and the stream of batches."""

from itertools import combinations
from pathlib import Path

import pytest
import torch

from training.data.scenes import (
    NO_PHRASE,
    Captioner,
    Phrases,
    SceneRenderer,
    SceneStream,
    SpriteTable,
    StreamOptions,
    held_out_of,
    make_held_out_scene,
    make_scene,
    make_validation_scene,
)
from training.data.scenes.description import OUTDOORS, all_settings
from training.data.scenes.held_out import KINDS, choose_held_out, choose_settings
from training.data.scenes.making import VALIDATION_SEED, draw_combination
from training.data.scenes.stream import MAX_TRAINING_SEED
from training.data.scenes.things import read_things

STYLES = ("fluent-3d", "noto", "twemoji")


@pytest.fixture(scope="module")
def captioner(table: SpriteTable) -> Captioner:
    return Captioner(table, Phrases(table))


def things_of(scene) -> list[int]:
    return [placement.thing for placement in scene.placements]


def news(table: SpriteTable, style: int, setting: tuple, things: list[int]) -> dict[str, bool]:
    held_out = held_out_of(table)
    pairs = combinations(sorted(set(things)), 2)
    return {
        "style": any((thing, style) in held_out.styles for thing in things),
        "pair": any(pair in held_out.pairs for pair in pairs),
        "setting": setting in held_out.settings,
    }


def shows_held_out(table: SpriteTable, scene) -> dict[str, bool]:
    setting = (scene.place, scene.time, scene.weather)
    return news(table, scene.style, setting, things_of(scene))


def test_training_never_shows_what_is_held_out(table: SpriteTable) -> None:
    for index in range(20_000):
        style, setting, things = draw_combination(table, 0, index)
        assert not any(news(table, style, setting, things).values())
        if index % 100 == 0:
            scene = make_scene(table, 0, index)
            assert sorted(things_of(scene)) == sorted(things)
            assert (scene.style, scene.place, scene.time, scene.weather) == (style, *setting)


def test_validation_shows_trained_combinations_only(table: SpriteTable) -> None:
    scenes = [make_validation_scene(table, index) for index in range(300)]
    assert not any(any(shows_held_out(table, scene).values()) for scene in scenes)
    assert scenes[0].seed == VALIDATION_SEED > MAX_TRAINING_SEED


@pytest.mark.parametrize("kind", KINDS)
def test_a_held_out_scene_is_new_in_one_way_only(table: SpriteTable, kind: str) -> None:
    for index in range(80):
        scene = make_held_out_scene(table, kind, index)
        assert scene == make_held_out_scene(table, kind, index)
        assert [name for name, is_new in shows_held_out(table, scene).items() if is_new] == [kind]


def test_an_unknown_kind_is_refused(table: SpriteTable) -> None:
    with pytest.raises(ValueError, match="style, pair, setting"):
        make_held_out_scene(table, "colour", 0)


def test_100_styles_300_pairs_and_40_settings_are_held_out() -> None:
    names = tuple(thing.name for thing in read_things())
    held_out = choose_held_out(names, STYLES)
    assert (len(held_out.styles), len(held_out.pairs), len(held_out.settings)) == (100, 300, 40)
    things = [thing for thing, _ in held_out.styles]
    assert len(set(things)) == len(things)


def test_a_longer_list_of_things_changes_little() -> None:
    names = tuple(thing.name for thing in read_things())
    before, after = (choose_held_out(part, STYLES) for part in (names[:-10], names))
    assert len(set(before.styles) & set(after.styles)) > 85
    assert len(set(before.pairs) & set(after.pairs)) > 240


def test_training_shows_any_two_parts_of_a_setting() -> None:
    settings = [setting for setting in all_settings() if setting[0] in OUTDOORS]
    trained = [setting for setting in settings if setting not in choose_settings()]
    pairs = {part for setting in settings for part in combinations(setting, 2)}
    assert {part for setting in trained for part in combinations(setting, 2)} == pairs


def test_some_things_may_be_chosen(table: SpriteTable) -> None:
    shown = {
        thing for index in range(200) for thing in things_of(make_scene(table, 0, index, (1, 4, 5)))
    }
    assert shown == {1, 4, 5}
    for among in ((), (99,), (-1,)):
        with pytest.raises(ValueError, match="among must name"):
            make_scene(table, 0, 0, among)


def open_stream(
    renderer: SceneRenderer, captioner: Captioner, start: int = 0, **options
) -> SceneStream:
    settings = {"seed": 3, "batch_size": 4, "side": 32, "ahead": 0} | options
    return SceneStream(renderer, captioner, StreamOptions(**settings), start)


def test_a_stream_goes_on_from_any_batch(renderer: SceneRenderer, captioner: Captioner) -> None:
    whole = open_stream(renderer, captioner)
    batches = [next(whole) for _ in range(5)]
    later = next(open_stream(renderer, captioner, start=3))
    assert later.number == 3
    assert torch.equal(later.images, batches[3].images)
    assert torch.equal(later.phrases, batches[3].phrases)
    assert later.scenes == batches[3].scenes
    assert [scene.index for batch in batches for scene in batch.scenes] == list(range(20))


def test_a_batch_has_images_styles_and_phrases(
    renderer: SceneRenderer, captioner: Captioner
) -> None:
    batch = next(open_stream(renderer, captioner))
    assert batch.images.shape == (4, 3, 32, 32)
    assert batch.styles.tolist() == [scene.style for scene in batch.scenes]
    assert batch.phrases.shape == (4, 8)
    assert (batch.phrases[:, 0] >= 0).all()
    assert ((batch.phrases >= 0) | (batch.phrases == NO_PHRASE)).all()
    assert batch.phrases.max() < len(captioner.phrases.texts)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_batches_prepared_in_advance_are_the_same(
    renderer: SceneRenderer, captioner: Captioner, workers: int
) -> None:
    plain = open_stream(renderer, captioner)
    with open_stream(renderer, captioner, ahead=2, workers=workers) as stream:
        for _ in range(4):
            found, expected = next(stream), next(plain)
            assert found.number == expected.number
            assert torch.equal(found.images, expected.images)
            assert torch.equal(found.phrases, expected.phrases)


def test_processes_share_the_scenes_without_overlap(
    renderer: SceneRenderer, captioner: Captioner
) -> None:
    indices = []
    for rank in range(3):
        stream = open_stream(renderer, captioner, rank=rank, num_processes=3)
        indices += [scene.index for _ in range(2) for scene in next(stream).scenes]
    assert sorted(indices) == list(range(24))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must lie in"),
        ({"seed": VALIDATION_SEED}, "seed must lie in"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"rank": 2}, "rank 2 must lie in"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamOptions(**({"seed": 0, "batch_size": 1} | options))


def test_an_error_in_the_background_reaches_the_caller(
    renderer: SceneRenderer, captioner: Captioner, tmp_path: Path
) -> None:
    with (
        open_stream(renderer, captioner, ahead=1, side=2) as stream,
        pytest.raises(ValueError, match="side must lie in"),
    ):
        next(stream)
