"""axe-core on the page, in both themes, in every state."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import (
    Gated,
    draw,
    open_box,
    open_context,
    open_page,
    set_count,
    wait_done,
)
from tests.browser.test_comparing import draw_sheet, open_tab
from tests.browser.test_editing import press, stroke
from tests.gated_engine import GatedEngine
from var_core.web.how_tab import PICTURES

pytestmark = pytest.mark.browser
LOOKS = [  # theme and view
    ("light", "desktop"),
    ("dark", "phone"),
    pytest.param("light", "phone", marks=pytest.mark.slow),
    pytest.param("dark", "desktop", marks=pytest.mark.slow),
]
SERIOUS = ("serious", "critical")


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("theme", "view"), LOOKS)
def test_axe_finds_nothing_serious(
    browser: Browser, gated: Gated, engine: GatedEngine, theme: str, view: str
) -> None:
    context = open_context(browser, view)
    page, wrong = open_page(context, f"{gated.url}/?__theme={theme}")
    page.locator("#wish input").click()
    page.keyboard.type("apple")
    assert violations(page) == []
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Choose").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    set_count(page, 4)
    with engine.gate.closed():
        page.locator("#generate").click()
        engine.gate.let(2)
        expect(page.locator("#status")).to_contain_text("Scale 2 of 8")
        assert violations(page) == []
    wait_done(page)
    open_box(page, "more")
    assert violations(page) == []
    page.locator("#send-edit").click()
    expect(page.locator("#painter [data-part=picture]")).to_be_visible()
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    press(page, "redraw-mask")
    page.locator("#painter .handle[data-side=right]").click()
    assert violations(page) == []
    page.get_by_role("tab", name="Draw").click()  # the edited picture is beside the others
    page.locator("#strip").press("Home")
    page.locator("#use").click()
    expect(page.locator("#inside [data-choice] img")).to_have_count(6)
    assert violations(page) == []
    open_tab(page)
    assert violations(page) == []
    draw_sheet(page)
    assert violations(page) == []
    page.locator("#sheet .pick").first.click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#how img")).to_have_count(len(PICTURES))
    assert violations(page) == []
    context.close()
    assert wrong == []


def test_progress_is_a_live_region_and_pictures_have_words(page: Page) -> None:
    expect(page.locator("#status .html-container")).to_have_attribute("aria-live", "polite")
    set_count(page, 8)
    draw(page)
    expect(page.locator("#history img")).to_have_count(1)
    for name in ("strip", "history", "stage .large", "tiles"):
        words = page.eval_on_selector_all(f"#{name} img", "all => all.map(one => one.alt)")
        assert words and all(words), name
