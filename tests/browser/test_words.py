"""The page in the language of the browser."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import open_context, open_page
from var_core.web.how_tab import PICTURES
from var_core.web.words import LANGUAGES, read_words

pytestmark = pytest.mark.browser
ENGLISH = """keys => {
  const known = new Set(keys);
  const isForeign = node => node.closest("[dir=auto], script, style, textarea, code, kbd");
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (!isForeign(parentElement)) found.push(data.trim().replace(/\\s+/g, " "));
  }
  for (const name of ["title", "aria-label", "placeholder", "alt"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) found.push(one.getAttribute(name));
  }
  return [...new Set(found.filter(one => known.has(one)))];
}"""  # what stands on the page in English though it has a translation


def left_in_english(page: Page) -> list[str]:
    words = read_words("de")
    return page.evaluate(ENGLISH, [one for one, other in words.items() if one != other])


def test_a_german_browser_gets_a_german_page_that_draws(browser: Browser, url: str) -> None:
    context = open_context(browser, locale="de-DE")
    page, wrong = open_page(context, url)
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("tab", name="Vergleichen")).to_be_visible()
    expect(page.locator("#wish input")).to_have_attribute("placeholder", "Was willst du sehen?")
    page.get_by_role("button", name="Zeichnen", exact=True).click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"Fertig in .* s, Startwert \d+"))
    page.get_by_role("button", name="Bearbeiten", exact=True).click()
    expect(page.get_by_role("button", name="Radierer")).to_be_visible()
    page.get_by_role("button", name="Neu zeichnen", exact=True).click()
    expect(page.locator("#edit-status .notice")).to_contain_text("Noch ist nichts übermalt")
    assert left_in_english(page) == []
    page.get_by_role("button", name="Fertig", exact=True).click()
    page.get_by_role("button", name="Einblick").click()
    expect(page.locator("#inside [data-choice] img")).to_have_count(6)
    page.get_by_role("tab", name=read_words("de")["How it works"]).click()
    expect(page.locator("#how img")).to_have_count(len(PICTURES))
    page.get_by_role("tab", name="Vergleichen").click()
    expect(page.get_by_role("button", name="Bogen zeichnen")).to_be_visible()
    assert left_in_english(page) == []
    context.close()
    assert wrong == []


OUT_OF_LINE = """tabs => tabs
  .filter(tab => {
    const isBelow = tab.offsetTop !== tabs[0].offsetTop;
    return isBelow || tab.getBoundingClientRect().right > innerWidth;
  })
  .map(tab => tab.innerText)"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phone_speaks_the_language_of_its_browser_with_all_tabs_in_one_line(
    browser: Browser, url: str, language: str
) -> None:
    context, words = open_context(browser, "phone", locale=language), read_words(language)
    page, wrong = open_page(context, f"{url}/?seed=abc")
    expect(page.locator("#generate")).to_have_text(words["Draw"])
    refused = words["it must be a whole number, got {0}"].format("'abc'")
    said = words["The link's {0} was left out: {1}"].format(words["Seed"], refused)
    expect(page.locator("#status")).to_contain_text(said)
    assert page.locator("#tabs [role=tab]").evaluate_all(OUT_OF_LINE) == []
    context.close()
    assert wrong == []
