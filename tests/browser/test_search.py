"""The search in lists of names: its order as a table."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from var_core.model_info import read_model_info
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.web.assets import read_asset
from var_core.web.wish_box import catalogue

pytestmark = pytest.mark.browser
CHOICES = [
    ["", "", "any thing", []],
    ["cart", "", "cart", ["carriage"]],
    ["scary ogre", "", "scary ogre", []],
    ["carrot", "🥕", "carrot", ["food"]],
    ["police car", "🚓", "police car", ["patrol"]],
    ["car park", "", "car park", []],
    ["automobile", "🚗", "automobile", ["car", "driving"]],
    ["wagon", "", "wagon", ["carriage"]],
    ["boat", "", "boat", ["sea car"]],
    ["angry face", "", "angry face", ["unhappy"]],
    ["grinning face", "", "grinning face", ["happy", "smile"]],
    ["café", "", "café", []],
    ["red apple", "🍎", "red apple", ["fruit", "diet"]],
    ["green apple", "🍏", "green apple", ["fruit"]],
    ["heart", "❤️", "heart", []],
]


@pytest.fixture(scope="module")
def things() -> list:
    """The things of the embedded model, as the page lists them."""
    return catalogue(read_model_info(EMBEDDED_FOLDER), True)["kinds"][0]["choices"]


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """An empty page that knows how to search."""
    page = browser.new_page()
    page.evaluate(f"() => {{{read_asset('search.js')}}}")
    yield page
    page.close()


def search(page: Page, choices: list, words: str) -> tuple[bool, list[str]]:
    """Whether anything fits, and the values in their order."""
    found = page.evaluate(
        "([choices, words]) => window.varStudio.search(choices, words)", [choices, words]
    )
    return found["fits"], [one[0] for one in found["choices"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cart", ["cart"]),  # the very name
        (
            "car",
            [
                "car park",  # the name begins with this word
                "automobile",  # a tag
                "police car",  # a word of the name
                *("cart", "carrot"),  # the name begins with these letters
                "wagon",  # a tag begins with it
                "boat",  # a word of a tag
                "scary ogre",  # letters inside a word
            ],
        ),
        ("happy", ["grinning face", "angry face"]),
        ("Apple", ["red apple", "green apple"]),  # the shorter name first
        ("apple fruit", ["red apple", "green apple"]),  # words of name and tags together
        ("apple, diet", ["red apple"]),
        ("CAFE", ["café"]),
        ("🥕", ["carrot"]),
        ("❤", ["heart"]),
        ("  police-car ", ["police car"]),
    ],
)
def test_what_is_meant_comes_first(blank: Page, words: str, expected: list[str]) -> None:
    assert search(blank, CHOICES, words) == (True, expected)


def test_without_words_everything_is_listed_in_its_own_order(blank: Page) -> None:
    assert search(blank, CHOICES, " ") == (True, [one[0] for one in CHOICES])


@pytest.mark.parametrize(
    ("words", "first"), [("astronaut on a carrot", "carrot"), ("carot", "carrot"), ("aple", "")]
)
def test_where_nothing_fits_the_nearest_is_shown(blank: Page, words: str, first: str) -> None:
    fits, values = search(blank, CHOICES, words)
    assert not fits and len(values) == 5 and "" not in values
    assert values[0] == first or (not first and "apple" in values[0])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("owl", "an owl"),
        ("cat", "a cat"),
        ("car", "a car"),
        ("bear", "a bear"),
        ("UFO", "a flying saucer"),
        ("pumpkin", "a jack-o'-lantern"),
    ],
)
def test_the_thing_that_is_named_is_the_first_hit(
    blank: Page, things: list, words: str, expected: str
) -> None:
    fits, values = search(blank, things, words)
    assert fits and values[0] == expected, values[:5]


def test_a_sentence_begins_with_what_it_names(blank: Page, things: list) -> None:
    fits, values = search(blank, things, "purple unicorn with a rainbow")
    assert not fits and values[:2] == ["a unicorn", "a rainbow"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a dragon with fire", "dragon"),
        ("cat with a hat", "cat|hat"),
        ("my red car", "car"),
        ("unicorn on a rainbow", "unicorn|rainbow"),
    ],
)
def test_of_a_whole_wish_the_rare_words_are_the_nearest(
    blank: Page, things: list, words: str, expected: str
) -> None:
    fits, values = search(blank, things, words)
    assert not fits and re.search(expected, values[0]), values
