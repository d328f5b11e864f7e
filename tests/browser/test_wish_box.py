"""The box for what is asked for: chips, suggestions, tiles; with names alone, and with words."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import (
    asked,
    chip,
    choose,
    draw,
    in_both_views,
    open_context,
    open_page,
    until,
    wait_done,
)
from tests.clients import served
from tests.conftest import make_tokenizer, make_transformer
from tests.prompted_models import PHRASES, SPACE, FakeEncoder, make_text_transformer
from tests.web.conftest import tiny_engine
from var_core import LabelSpace, VARPipeline
from var_core.labels import Attribute
from var_core.text import PhraseTable

pytestmark = pytest.mark.browser
PLACES = """() => ["#generate", "#tabs", "#wish .field"].map(name =>
  JSON.stringify(document.querySelector(name).getBoundingClientRect()))"""
SMALL = """() => [...document.querySelectorAll("#wish :is(button, li, select)")]
  .map(one => [one.title || one.innerText, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.width < 44 || box.height < 44))
  .map(([name]) => name)"""  # what a finger would miss


NAMED = {  # emoji: category and tags
    "cat": ("animal-mammal", ("pet",)),
    "grinning cat": ("face", ("happy",)),
    "horse": ("animal-mammal", ()),
    "bowl with spoon": ("dishware", ("food",)),
    "owl": ("animal-bird", ("wise",)),
    "penguin": ("animal-bird", ()),
    "red apple": ("food-fruit", ("fruit", "diet")),
    "green apple": ("food-fruit", ("fruit",)),
    "astronaut": ("person-role", ("space",)),
}
CATEGORIES = tuple(sorted({category for category, _ in NAMED.values()}))
LABELS = LabelSpace(
    (
        Attribute("category", CATEGORIES),
        Attribute("emoji", tuple(NAMED)),
        Attribute("style", ("noto", "twemoji", "fluent-3d")),
    ),
    {(1, 0): tuple(CATEGORIES.index(category) for category, _ in NAMED.values())},
    {"emoji": tuple(tags for _, tags in NAMED.values())},
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app around a model of names alone, some of which imply others."""
    pipeline = VARPipeline(make_tokenizer(), make_transformer(LABELS.counts), LABELS)
    with served(tiny_engine(pipeline), tmp_path_factory.mktemp("named")) as url:
        yield url


@pytest.fixture(scope="module")
def prompted_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app around a model that takes words."""
    table = PhraseTable.encode(FakeEncoder(), [*PHRASES, "שועל בשלג", "a moon"])
    pipeline = VARPipeline(make_tokenizer(), make_text_transformer(), SPACE, table)
    with served(tiny_engine(pipeline), tmp_path_factory.mktemp("prompted")) as url:
        yield url


@pytest.fixture
def prompted(browser: Browser, prompted_url: str) -> Iterator[Page]:
    context = open_context(browser)
    page, wrong = open_page(context, prompted_url)
    yield page
    context.close()
    assert wrong == []


@in_both_views
def test_an_emoji_stands_for_its_category_and_is_found_by_its_tag(page: Page) -> None:
    choose(page, "category", "animal-bird")
    choose(page, "emoji", "apple, diet", words="red apple")
    assert asked(page) == ["red apple"]  # whose category is another one
    choose(page, "emoji", "owl")  # not the bowl
    assert asked(page) == ["owl"]
    choose(page, "category", "food-fruit")
    assert asked(page) == ["food-fruit"]
    page.locator("#wish input").click()
    page.keyboard.type("qwertyzz")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#wish .note")).to_contain_text("“qwertyzz” is not known")
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "empty")
    page.locator("#wish input").fill("")
    page.keyboard.press("Control+Enter")
    wait_done(page)
    expect(page.locator("#status")).to_contain_text("food-fruit")


@in_both_views
def test_chips_are_taken_away_by_a_click_and_by_backspace(page: Page) -> None:
    choose(page, "emoji", "red apple")
    choose(page, "style", "noto")
    page.keyboard.press("Backspace")
    assert asked(page) == ["red apple"]
    chip(page, "red apple").click()
    assert asked(page) == []
    expect(page.locator("#wish input")).to_be_focused()


@in_both_views
def test_enter_takes_the_best_hit_and_then_draws(page: Page) -> None:
    box = page.locator("#wish input")
    box.click()
    page.keyboard.type("owl")
    first = page.get_by_role("option").first
    expect(first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    expect(chip(page, "owl")).to_be_visible()
    expect(box).to_have_value("")
    page.keyboard.type("cat")
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "false")
    page.keyboard.press("Tab")  # what was typed and fits is taken, not forgotten
    expect(chip(page, "cat")).to_be_visible()
    assert asked(page) == ["cat"]
    box.click()
    page.keyboard.type("noto,")  # a comma ends a name
    expect(chip(page, "noto")).to_be_visible()
    page.keyboard.press("Enter")
    wait_done(page)
    expect(page.locator("#status")).to_contain_text("cat, noto")


@in_both_views
def test_words_that_fit_nothing_are_said_with_the_nearest(page: Page) -> None:
    box, note = page.locator("#wish input"), page.locator("#wish .note")
    before = page.evaluate(PLACES)
    box.click()
    page.keyboard.type("astronaut riding a horse")
    expect(note).to_contain_text("Nothing here is called “astronaut riding a horse”. The nearest:")
    nearest = page.get_by_role("option").all_inner_texts()
    assert any("astronaut" in one for one in nearest) and any("horse" in one for one in nearest)
    page.keyboard.press("Enter")  # which picks none of them unasked
    assert asked(page) == []
    assert page.viewport_size["width"] < 641 or page.evaluate(PLACES) == before
    page.keyboard.press("Tab")
    expect(note).to_contain_text("is not known. The nearest: ")
    expect(box).to_have_value("astronaut riding a horse")
    page.locator("#generate").click()  # draws nothing that was not asked for
    expect(note).to_contain_text("Empty the box to draw without it")
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "empty")
    box.click()
    page.get_by_role("option").filter(has_text="astronaut").first.click()
    until(page, lambda: any("astronaut" in name for name in asked(page)))
    expect(note).not_to_contain_text("astronaut")
    expect(box).to_have_value("")


def test_the_dice_roll_a_wish(page: Page) -> None:
    choose(page, "category", "food-fruit")
    page.get_by_role("button", name="Random wish").click()
    until(page, lambda: asked(page) != ["food-fruit"])
    assert 1 <= len(asked(page)) <= 2


@in_both_views
def test_everything_can_be_chosen_from_tiles(page: Page) -> None:
    opener = page.get_by_role("button", name="Choose")
    opener.click()
    page.locator(".tile[title='food-fruit']").click()  # of all groups
    expect(page.get_by_label("Group of emoji")).to_have_value("food-fruit")
    apple, style = page.locator(".tile[title='red apple']"), page.locator(".tile[title=noto]")
    apple.click()
    style.click()
    assert asked(page) == ["red apple", "noto"]
    expect(apple).to_have_attribute("aria-pressed", "true")
    draw(page)  # which closes the tiles
    expect(apple).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("food-fruit, red apple, noto")
    opener.click()
    style.click()
    assert asked(page) == ["red apple"]
    page.locator(".tile[title='any food-fruit']").click()
    assert asked(page) == ["red apple"]
    expect(page.locator("#wish .note")).to_contain_text("“red apple” is “food-fruit” already")
    chip(page, "red apple").click()
    opener.click()
    page.get_by_label("Group of emoji").select_option("food-fruit")
    fruit = page.locator(".tile[title]").all_inner_texts()
    page.get_by_role("button", name="Random emoji").click()  # of the group
    (name,) = asked(page)
    assert any(name in one for one in fruit)
    page.keyboard.press("Escape")
    expect(apple).to_be_hidden()


@pytest.mark.parametrize("visitor", ["phone"], indirect=True)
def test_fingers_find_everything(page: Page) -> None:
    choose(page, "emoji", "red apple")
    page.keyboard.type("green")
    expect(page.get_by_role("option").first).to_be_visible()
    assert page.evaluate(SMALL) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Choose").click()
    expect(page.locator(".tile").first).to_be_visible()
    assert page.evaluate(SMALL) == []


def test_words_become_phrases_where_a_model_takes_text(prompted: Page) -> None:
    page, box = prompted, prompted.locator("#wish input")
    box.click()
    page.keyboard.type("vixen")  # a word of another name
    expect(page.get_by_role("option").first).to_contain_text("fox")
    page.keyboard.press("Enter")
    page.keyboard.type("שועל בשלג, ")  # "a fox in the snow"
    assert asked(page) == ["fox", "שועל בשלג"]
    assert chip(page, "שועל").locator("span[dir]").evaluate("it => it.matches(':dir(rtl)')")
    page.keyboard.type("a moon and in the snow")
    page.keyboard.press("Enter")
    assert asked(page) == ["fox", "שועל בשלג", "a moon", "snow"]
    page.keyboard.type("one more,")
    expect(page.locator("#wish .note")).to_contain_text("At most 4 phrases")
    assert len(asked(page)) == 4
    page.get_by_role("button", name="Choose").click()
    page.locator(".tile[title=flat]").click()
    draw(page)
    expect(page.locator("#status")).to_contain_text("a fox, שועל בשלג, a moon, in the snow, flat")
    page.reload()  # the address holds the phrases
    wait_done(page)
    assert asked(page) == ["fox", "שועל בשלג", "a moon", "snow", "flat"]
