import pytest

from tests.conftest import make_labels
from var_core.labels import Attribute, LabelSpace
from var_core.text.nearest_names import NearestNames
from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder


def refuse() -> UniversalSentenceEncoder:
    raise AssertionError("the encoder was opened")


def test_names_and_search_words_need_no_encoder() -> None:
    labels = make_labels()
    labels = LabelSpace(
        labels.attributes, labels.implies, {"emoji": (("kitty",), ("hound", "doggy"), (), ("cat",))}
    )
    names = NearestNames(labels, refuse)
    assert names.find("apple").index == 2
    assert names.find("An Apple").name == "apple"
    found = names.find("a doggy")
    assert (found.attribute, found.index, found.name) == (1, 1, "dog")
    assert names.find("cat").index == 0  # a name goes before a search word
    assert names.find("round").attribute == 2


def test_other_words_find_the_nearest_name_in_any_language() -> None:
    names = NearestNames(make_labels(), UniversalSentenceEncoder)
    assert names.find("ein Apfel").name == "apple"
    assert names.find("un chat").name == "cat"


def test_classes_that_are_only_numbered_cannot_be_found() -> None:
    with pytest.raises(ValueError, match="takes no text, and its classes have no names"):
        NearestNames(LabelSpace.single("class", 10), refuse).find("3")
    mixed = LabelSpace((Attribute("class", ("0", "cat")),))
    assert NearestNames(mixed, refuse).find("cat").index == 1
