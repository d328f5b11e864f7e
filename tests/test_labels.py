import json
from pathlib import Path

import pytest

from tests.conftest import make_labels
from tests.prompted_models import MENUS
from var_core import LabelSpace
from var_core.labels import LABELS_FILE, Attribute, Label
from var_core.menus import Choice, Menu


def test_an_emoji_fills_in_its_category() -> None:
    labels = make_labels()
    assert labels.resolve({"emoji": "apple", "style": "flat"}) == (1, 2, 0)
    assert labels.resolve((None, 1, None)) == (0, 1, 3)


def test_everything_may_be_left_open() -> None:
    labels = make_labels()
    assert labels.resolve(None) == labels.resolve({}) == labels.null == (2, 4, 3)
    assert labels.names((2, 4, 0)) == {"category": None, "emoji": None, "style": "flat"}


def test_a_character_names_its_emoji() -> None:
    assert make_labels().resolve({"emoji": "🐶"}) == (0, 1, 3)


def test_a_conflict_names_both_sides() -> None:
    with pytest.raises(ValueError, match=r"'apple' belongs to category 'fruit', not 'animal'"):
        make_labels().resolve({"category": "animal", "emoji": "apple"})


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, "several attributes"),
        ("cat", "several attributes"),
        ((0, 0), "3 entries"),
        ({"colour": "red"}, "not 'colour'"),
        ({"emoji": "dgo"}, "nearest is 'dog'"),
        ({"style": 4}, "from 0 to 3"),
        ({"style": -1}, "from 0 to 3"),
        ({"style": True}, "True"),
        ({"style": 1.0}, "1.0"),
    ],
)
def test_bad_labels_are_refused_with_a_hint(label: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_labels().resolve(label)


def test_one_attribute_takes_plain_numbers_and_none() -> None:
    labels = LabelSpace.single("class", 10)
    assert labels.resolve(7) == (7,)
    assert labels.resolve(None) == labels.resolve(10) == (10,)
    with pytest.raises(ValueError, match="from 0 to 10"):
        labels.resolve(11)


def test_labels_survive_json() -> None:
    labels = make_labels()
    again = LabelSpace.from_json(labels.to_json())
    assert [a.values for a in again.attributes] == [a.values for a in labels.attributes]
    assert dict(again.implies) == dict(labels.implies)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"attributes": [{"name": "a", "values": []}]},
        {"attributes": [{"name": "a", "values": ["x", "x"]}]},
        {"attributes": [{"name": "a", "values": ["x"]}], "implies": {"a": {"b": [0]}}},
        {
            "attributes": [{"name": "a", "values": ["x"]}, {"name": "b", "values": ["y"]}],
            "implies": {"a": {"b": [1]}},
        },
    ],
)
def test_damaged_label_tables_are_refused(content: dict) -> None:
    with pytest.raises(ValueError, match=r"damaged|different names|does not fit"):
        LabelSpace.from_json(content)


def make_menu_space() -> LabelSpace:
    return LabelSpace((Attribute("style", ("noto", "flat")),), menus=MENUS)


@pytest.mark.parametrize(
    ("label", "indices", "phrases"),
    [
        (None, (2,), ()),
        (1, (1,), ()),
        ({"style": "noto"}, (0,), ()),
        ({"thing": "fox", "style": "flat"}, (1,), ("a fox",)),
        ({"place": "snow", "thing": ["pizza", "fox"]}, (2,), ("a pizza", "a fox", "in the snow")),
        ({"thing": None, "place": []}, (2,), ()),
    ],
)
def test_a_label_may_pick_phrases_from_menus(
    label: Label, indices: tuple[int, ...], phrases: tuple[str, ...]
) -> None:
    space = make_menu_space()
    assert space.resolve(label) == indices and space.phrases(label) == phrases


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"thing": "foxes"}, "there is no thing 'foxes'; the nearest is 'fox'"),
        ({"thing": ["fox", 3]}, "thing must be a name or a list of names, got 3"),
        ({"thing": "x" * 10_000}, "there is no thing 'x{40}...'"),
        ({"time": "night"}, "a label has style, thing, place, not 'time'"),
    ],
)
def test_a_choice_that_is_not_there_is_refused(label: Label, message: str) -> None:
    space = make_menu_space()
    with pytest.raises(ValueError, match=message):
        space.phrases(label)
        space.resolve(label)


def test_menus_are_saved_with_the_labels(tmp_path: Path) -> None:
    space = make_menu_space()
    space.save(tmp_path)
    assert LabelSpace.from_json(json.loads((tmp_path / LABELS_FILE).read_text())) == space


def test_menus_and_attributes_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="share a name"):
        LabelSpace((Attribute("thing", ("a",)),), menus=MENUS)
    with pytest.raises(ValueError, match="different names"):
        Menu("thing", ())
    with pytest.raises(ValueError, match="different names"):
        Menu("thing", (Choice("a", "an a"), Choice("a", "another a")))
    with pytest.raises(ValueError, match="damaged"):
        LabelSpace.from_json({"attributes": [], "menus": [{"name": "thing"}]})


def test_a_model_without_labels_takes_none() -> None:
    space = LabelSpace(())
    assert space.resolve(None) == () == space.null
    with pytest.raises(ValueError, match="this model has no labels, got 3"):
        space.resolve(3)
