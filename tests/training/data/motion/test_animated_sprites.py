"""Animated sprites: pictures of an animation in a sprite folder, which scenes play."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.data.tiny_sprites import THINGS, words_of
from tests.training.prepare.test_scenes import write_archive
from training.data.motion import MotionCaptioner, make_played_clip, motion_phrases
from training.data.motion.animated_sprites import (
    NUM_PICTURES,
    SPRITE_SIDE,
    animation_pictures,
    animations_of,
    crop_alike,
    write_animated,
)
from training.data.npm_packages import PackageError
from training.data.scenes import SceneRenderer, SpriteTable, read_table

FOX, ROCKET = THINGS[0], THINGS[7]


def animation(number: int = 24, step: int = 2) -> bytes:
    """A block that moves to the right over nothing."""
    pictures = []
    for index in range(number):
        pixels = np.zeros((80, 120, 4), np.uint8)
        pixels[30:50, 10 + step * index : 40 + step * index] = (200, 60, 90, 255)
        pictures.append(Image.fromarray(pixels))
    file = io.BytesIO()
    first, *rest = pictures
    first.save(file, "WEBP", save_all=True, append_images=rest, duration=40, lossless=True)
    return file.getvalue()


@pytest.fixture(scope="module")
def animated(tmp_path_factory: pytest.TempPathFactory) -> SpriteTable:
    folder = tmp_path_factory.mktemp("animated")
    entries = [asdict(thing) | {"words": words_of(thing), "kinds": []} for thing in THINGS]
    found = [(ROCKET, animation()), (FOX, animation(48)), (THINGS[3], animation(step=0))]
    assert write_animated(folder, entries, found) == 2
    return read_table(folder)


def test_pictures_lie_at_equal_distances_in_the_animation() -> None:
    pictures = animation_pictures(animation(32))
    lefts = [np.flatnonzero(np.asarray(one)[40, :, 3])[0] for one in pictures]
    assert lefts == [10 + 4 * index for index in range(NUM_PICTURES)]


def test_what_hardly_moves_is_left_out() -> None:
    assert animation_pictures(animation(step=0)) == []
    assert animation_pictures(animation(8)) == []  # too few pictures
    with pytest.raises(PackageError, match="cannot be read"):
        animation_pictures(animation()[:200])


def test_pictures_of_an_animation_stay_in_line() -> None:
    cropped = crop_alike(animation_pictures(animation()))
    assert len({picture.size for picture in cropped}) == 1
    assert max(cropped[0].size) == SPRITE_SIDE
    lefts = [np.flatnonzero(np.asarray(one)[one.height // 2, :, 3] > 99)[0] for one in cropped]
    assert lefts[0] == 0 and lefts == sorted(lefts)
    with pytest.raises(ValueError, match="fully transparent"):
        crop_alike([Image.new("RGBA", (4, 4))])


def test_animations_are_found_by_their_character(tmp_path: Path) -> None:
    files = {"assets/1f98a.webp": b"fox", "assets/1f42d.webp": b"mouse", "README.md": b""}
    found = list(animations_of(write_archive(tmp_path / "a.tgz", files), THINGS))
    assert found == [(FOX, b"fox")]


def test_the_folder_is_one_of_sprites_with_a_style_for_each_picture(animated: SpriteTable) -> None:
    assert animated.names == ("fox", "rocket")  # in the order of the table of scenes
    assert len(animated.styles) == NUM_PICTURES
    table = json.loads((animated.folder / "sprites.json").read_text("utf-8"))
    assert table["credits"][0]["licence"] == "MIT"


def test_animated_things_play_in_place(animated: SpriteTable) -> None:
    clip = make_played_clip(animated, 0, 3)
    assert clip == make_played_clip(animated, 0, 3)
    frames = clip.frames(animated)
    assert [scene.style for scene in frames] == [*range(NUM_PICTURES), 0]
    assert len({scene.placements for scene in frames}) == 1
    painted = SceneRenderer(animated).render([frames[0], frames[8]], 64)
    assert not torch.equal(painted[0], painted[1])


def test_a_played_clip_is_captioned_by_the_names_of_all_things(
    animated: SpriteTable, table: SpriteTable
) -> None:
    captioner = MotionCaptioner(table, motion_phrases(table))
    texts = captioner.phrases.texts
    style_words = {one for style in table.styles for one in captioner.phrases.find("style", style)}
    for index in range(30):
        clip = make_played_clip(animated, 0, index)
        own = clip.with_things_of(animated, table)
        names = {animated.names[one.thing] for one in clip.scene.placements}
        assert {table.names[one.thing] for one in own.scene.placements} == names
        usual = " ".join(texts[one] for one in captioner.full_clip_caption(own))
        assert any(f"a {name} in motion" in usual or "two" in usual for name in names)
        assert not style_words & set(captioner.caption_clip(own, Random(index)))


def test_nothing_that_moves_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="0 animations take 0 bytes; there must be some"):
        write_animated(tmp_path, [], [])
