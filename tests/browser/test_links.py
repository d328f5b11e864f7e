"""Links that cannot be read whole, and sheets by link: what a person sees who opens one."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import VIEWS, Gated, draw, open_context, open_page, until, wait_done
from tests.gated_engine import GatedEngine

pytestmark = pytest.mark.browser
SHEET = {"rows": "seed", "rows_values": "1, 2", "columns": "style", "columns_values": "noto"}
GO_TO = """query => {
  history.pushState(null, "", `?${query}`);
  dispatchEvent(new PopStateEvent("popstate"));
}"""


@pytest.fixture(params=VIEWS)
def newcomer(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """Somebody who has never been here."""
    context = open_context(browser, request.param, is_first=True)
    yield context
    context.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"style": "no such thing", "seed": "1"}, "The link's style was left out: there is no"),
        ({"kept": "nAAAA", "seed": "1"}, "its kept scales are damaged, or of another model"),
        ({**SHEET, "rows": "nothing", "seed": "1"}, "a compared setting must be one of"),
        ({"rows": "seed", "rows_values": "1, 2", "seed": "1"}, "a sheet needs columns too"),
    ],
)
def test_what_is_wrong_in_a_link_is_said_and_stays_until_somebody_draws(
    newcomer: BrowserContext, gated: Gated, engine: GatedEngine, query: dict, words: str
) -> None:
    page, wrong = open_page(newcomer, f"{gated.url}/?{urlencode(query)}")
    expect(page.locator("#status .notice")).to_contain_text(words)
    expect(page.get_by_role("button", name="Surprise me")).to_be_visible()
    assert engine.steps == []
    page.locator("#generate").click()
    wait_done(page)
    assert len(engine.steps) == engine.info.schedule.num_scales  # no example was drawn before
    expect(page.locator("#status .notice")).to_have_count(0)
    assert wrong == []


def test_no_example_forms_where_a_link_sets_values(
    newcomer: BrowserContext, gated: Gated, engine: GatedEngine
) -> None:
    page, wrong = open_page(newcomer, f"{gated.url}/?prompt=an+owl")
    expect(page.locator("#wish .chip").first).to_contain_text("owl")
    page.locator("#generate").click()
    wait_done(page)
    assert len(engine.steps) == engine.info.schedule.num_scales
    assert wrong == []


def test_a_step_to_a_wrong_sheet_draws_nothing(held_page: Page, engine: GatedEngine) -> None:
    page = held_page
    page.evaluate(GO_TO, urlencode({**SHEET, "columns": "nothing"}))
    expect(page.locator("#compare-status")).to_contain_text("The link was read in part")
    expect(page.get_by_role("button", name="Copy link to the sheet")).to_be_hidden()
    assert engine.steps == []
    page.evaluate(GO_TO, urlencode({"style": "no such thing", "seed": "1", "tab": "edit"}))
    expect(page.locator("#status")).to_contain_text("was left out")
    assert engine.steps == []
    draw(page)
    expect(page.locator("#stage")).to_be_visible()  # the tab that was asked for is forgotten
    assert "tab=" not in page.url


def test_a_link_to_a_sheet_needs_no_seed(held_page: Page, gated: Gated) -> None:
    page = held_page
    page.goto(f"{gated.url}/?{urlencode(SHEET)}")
    expect(page.locator("#compare-status")).to_contain_text("Done in ")
    until(page, lambda: page.locator("#sheet figure img:not([hidden])").count() == 2)
    expect(page.get_by_role("button", name="Copy link to the sheet")).to_be_visible()
