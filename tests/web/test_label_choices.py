"""Which labels can be asked for, and by which words."""

from tests.conftest import make_labels
from var_core import LabelSpace
from var_core.labels import Attribute
from var_core.web.label_choices import searched_choices


def test_a_search_goes_through_characters_names_and_tags() -> None:
    fruit = Attribute("fruit", ("red apple", "lemon"))
    space = LabelSpace(
        (fruit,), {}, {"fruit": (("diet",), ("sour", "citrus"))}, {"fruit": ("🍎", "🍋")}
    )
    assert searched_choices(space, fruit) == [
        ("red apple", "🍎", "red apple", ("diet",)),
        ("lemon", "🍋", "lemon", ("sour", "citrus")),
    ]


def test_labels_without_characters_and_tags_have_their_names() -> None:
    labels = make_labels()
    found = searched_choices(labels, labels.attributes[2])
    assert found == [(name, "", name, ()) for name in ("flat", "round", "3d")]
