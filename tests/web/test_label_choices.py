"""Which labels can be asked for, and by which words."""

from tests.conftest import make_labels
from var_core import VARPipeline
from var_core.web.label_choices import searched_choices


def test_a_search_goes_through_characters_names_and_tags(embedded: VARPipeline) -> None:
    emoji = next(one for one in embedded.labels.attributes if one.name == "emoji")
    found = searched_choices(embedded.labels, emoji)
    listed = {value: (symbol, name, tags) for value, symbol, name, tags in found}
    assert len(listed) == len(emoji.values)
    assert listed["red apple"][:2] == ("🍎", "red apple") and "fruit" in listed["red apple"][2]


def test_labels_without_characters_and_tags_have_their_names() -> None:
    labels = make_labels()
    found = searched_choices(labels, labels.attributes[2])
    assert found == [(name, "", name, ()) for name in ("flat", "round", "3d")]
