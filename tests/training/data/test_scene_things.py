"""The list of things, and how their sprites are cut."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.scenes.sprite_drawing import character_key, crop_sprite
from training.data.scenes.things import HOMES, read_things


def write_list(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "things.txt"
    path.write_text("\n".join(["[animals]", *lines]), encoding="utf-8")
    return path


def test_the_list_has_about_300_things_with_a_home_each() -> None:
    things = read_things()
    assert 280 <= len(things) <= 340
    assert all(thing.homes and set(thing.homes) <= set(HOMES) for thing in things)
    assert len({thing.slug for thing in things}) == len(things)


def test_the_small_world_is_a_third_of_the_list_and_of_all_categories(tmp_path: Path) -> None:
    core, every = read_things(core=True), read_things()
    assert 90 <= len(core) <= 120 and all(thing in every for thing in core)
    assert {thing.category for thing in core} == {thing.category for thing in every}
    path = write_list(tmp_path, "🐁 mouse | core plural=mice |", "🐀 rat | |")
    assert [thing.name for thing in read_things(path, core=True)] == ["mouse"]


def test_traits_and_words_of_a_line_are_read(tmp_path: Path) -> None:
    path = write_list(
        tmp_path, "- 🐩 poodle: dropped", "🐁 mouse | flies fixed plural=mice | rat, vole"
    )
    (mouse,) = read_things(path)
    assert (mouse.name, mouse.plural, mouse.homes) == ("mouse", "mice", ("flies",))
    assert not mouse.may_flip
    assert mouse.synonyms == ("rat", "vole")


@pytest.mark.parametrize(
    ("line", "message"), [("🐁 mouse | lurks |", "lurks"), ("🐁 mouse", "expected")]
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"line 2 of things.txt.*{message}"):
        read_things(write_list(tmp_path, line))


def test_a_thing_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice: fox"):
        read_things(write_list(tmp_path, "🦊 fox | |", "🐺 fox | |"))


def test_keys_leave_out_the_variation_selector() -> None:
    assert character_key("☂️") == "2602"
    assert character_key("🐻‍❄️") == "1F43B-200D-2744"


def test_a_sprite_is_cropped_to_its_content_and_scaled() -> None:
    pixels = np.zeros((100, 100, 4), np.uint8)
    pixels[20:60, 30:50] = (255, 0, 0, 255)
    sprite = crop_sprite(Image.fromarray(pixels), side=80)
    assert sprite.size == (40, 80)
    assert np.asarray(sprite)[..., 3].min() > 200


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="transparent"):
        crop_sprite(Image.new("RGBA", (8, 8)))
