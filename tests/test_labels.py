import pytest

from tests.conftest import make_labels
from var_core import LabelSpace


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
