"""Which labels can be chosen, and how they follow each other."""

import pytest

from tests.conftest import make_labels
from var_core import VARPipeline
from var_core.web.label_choices import ANY, LabelChoices

NAMES = ("category", "emoji", "style")


@pytest.fixture
def choices() -> LabelChoices:
    return LabelChoices(make_labels())


def chosen(*labels: str) -> dict[str, str]:
    return dict(zip(NAMES, labels, strict=True))


def test_an_emoji_sets_its_category_and_a_category_opens_a_foreign_emoji(
    choices: LabelChoices,
) -> None:
    follow = choices.follow_finer
    assert follow(chosen("fruit", "cat", "flat")) == chosen("animal", "cat", "flat")
    follow = choices.follow_coarser
    assert follow(chosen("fruit", "cat", "flat")) == chosen("fruit", ANY, "flat")
    assert follow(chosen("animal", "cat", ANY)) == chosen("animal", "cat", ANY)
    assert follow(chosen(ANY, "cat", ANY)) == chosen(ANY, "cat", ANY)


def test_only_labels_that_imply_each_other_follow(choices: LabelChoices) -> None:
    assert choices.follower("emoji") == choices.follow_finer
    assert choices.follower("category") == choices.follow_coarser
    assert choices.follower("style") is None


def test_the_dice_stay_within_the_category(choices: LabelChoices) -> None:
    def rolls(name: str, count: int, *labels: str) -> set[tuple[str, ...]]:
        found = [choices.roll(name, chosen(*labels)) for _ in range(count)]
        return {tuple(one[name] for name in NAMES) for one in found}

    within = rolls("emoji", 60, "fruit", ANY, "3d")
    assert within == {("fruit", "apple", "3d"), ("fruit", "pear", "3d")}
    free = {emoji for _, emoji, _ in rolls("emoji", 200, ANY, "cat", ANY)}
    assert free == {"cat", "dog", "apple", "pear"}
    rolled = rolls("category", 60, "animal", "cat", ANY)
    assert rolled == {("animal", "cat", ANY), ("fruit", ANY, ANY)}


def test_a_search_goes_through_characters_names_and_tags(embedded: VARPipeline) -> None:
    choices = LabelChoices(embedded.labels)
    emoji = next(one for one in embedded.labels.attributes if one.name == "emoji")
    listed = {value: (symbol, name, tags) for value, symbol, name, tags in choices.choices(emoji)}
    assert len(listed) == len(emoji.values) + 1
    assert listed["red apple"][:2] == ("🍎", "red apple") and "fruit" in listed["red apple"][2]
    assert listed[ANY] == ("", "any emoji", ())
