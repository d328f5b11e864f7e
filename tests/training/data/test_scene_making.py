"""Descriptions of scenes: pure, varied, and laid out so that things can be recognised."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.data.tiny_sprites import write_sprites
from training.data.scenes import SpriteTable, build_scene, make_scene, read_table
from training.data.scenes.description import OUTDOORS, PLACES, PLAIN, TIMES, all_settings
from training.data.scenes.layout import SIZES, placement_box


def test_seed_and_index_alone_decide_a_scene(table: SpriteTable) -> None:
    first = [make_scene(table, 3, index) for index in range(50)]
    assert [make_scene(table, 3, index) for index in reversed(range(50))] == first[::-1]


def test_other_seeds_and_indices_give_other_scenes(table: SpriteTable) -> None:
    scenes = {
        replace(make_scene(table, seed, index), seed=0, index=0)
        for seed in range(4)
        for index in range(250)
    }
    assert len(scenes) == 1000


def test_every_place_time_and_weather_occurs(table: SpriteTable) -> None:
    seen = {
        (scene.place, scene.time, scene.weather)
        for scene in (make_scene(table, 0, index) for index in range(6000))
    }
    assert seen <= set(all_settings())
    assert {place for place, _, _ in seen} == set(PLACES)
    assert len(PLACES) - len(PLAIN) >= 12


def test_sizes_are_large_enough_to_read(table: SpriteTable) -> None:
    for index in range(500):
        scene = make_scene(table, 1, index)
        low, high = SIZES[len(scene.placements)]
        assert all(low <= placement.size <= high for placement in scene.placements)


def test_things_seldom_cover_each_other(table: SpriteTable) -> None:
    overlaps = []
    for index in range(400):
        scene = make_scene(table, 2, index)
        boxes = [placement_box(table, scene.style, placement) for placement in scene.placements]
        overlaps += [a.overlap(b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert max(overlaps) < 0.6
    assert sum(overlap > 0.25 for overlap in overlaps) < 0.05 * len(overlaps)


def test_things_lie_within_the_picture(table: SpriteTable) -> None:
    for index in range(400):
        scene = make_scene(table, 2, index)
        for placement in scene.placements:
            box = placement_box(table, scene.style, placement)
            assert min(box.left, box.top) >= 0.0
            assert box.right <= 1.0
            assert box.bottom <= (1.12 if placement.home == "swims" else 1.0)


def test_flyers_fly_swimmers_swim_and_the_rest_stands(table: SpriteTable) -> None:
    names = [thing.name for thing in table.things]
    rocket, whale, fox, book = (names.index(n) for n in ("rocket", "whale", "fox", "book"))
    for index in range(60):
        on_grass = build_scene(table, 0, index, 0, ("grass", "day", "clear"), [rocket, fox])
        homes = {placement.thing: placement for placement in on_grass.placements}
        assert homes[rocket].home == "flies"
        assert homes[fox].home == "ground"
        foot = placement_box(table, 0, homes[fox]).bottom
        assert foot > on_grass.horizon
        at_sea = build_scene(table, 0, index, 0, ("sea", "day", "clear"), [whale])
        assert at_sea.placements[0].home == "swims"
        assert not build_scene(table, 0, index, 0, ("red", "", ""), [book]).placements[0].is_flipped


def test_settings_are_sensible() -> None:
    settings = all_settings()
    assert len(settings) == len(set(settings))
    assert ("desert", "day", "snow") not in settings
    assert all(time in TIMES for place, time, _ in settings if place in OUTDOORS)


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1), (2**31, 0), (0, 2**48)])
def test_seeds_out_of_range_are_refused(table: SpriteTable, seed: int, index: int) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        make_scene(table, seed, index)


def test_a_missing_folder_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no sprites.*training\.prepare\.scenes"):
        read_table(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}', '{"version": 99}'])
def test_a_damaged_table_is_refused(tmp_path: Path, content: str) -> None:
    folder = write_sprites(tmp_path / "scenes")
    (folder / "sprites.json").write_text(content)
    with pytest.raises(ValueError, match=r"sprites\.json (is damaged|has version)"):
        read_table(folder)
