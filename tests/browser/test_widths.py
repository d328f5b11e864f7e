"""The page at every width: nothing is cut off, squeezed into columns of words, or out of view."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_box, wait_done

pytestmark = pytest.mark.browser
QUERY = "/?seed=5&count=8"
WIDTHS = (360, 390, 480, 641, 768, 900, 1024, 1151, 1280, 1700, 2560)
CUT = """() => [...document.querySelectorAll("button, a, label, figcaption, [role=tab]")]
  .filter(one => one.offsetParent && !one.closest("[hidden], .toast-wrap, .label-wrap"))
  .filter(one => one.innerText.trim() && getComputedStyle(one).display !== "inline")
  .filter(one => {
    const box = one.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(one);
    const words = range.getBoundingClientRect();
    return box.right > innerWidth + 1 || box.left < -1
      || words.left < box.left - 1 || words.right > box.right + 1;
  })
  .map(one => `${one.id || one.className}: ${one.innerText}`)"""
LINES = """() => [...document.querySelectorAll("button, label, figcaption")]
  .filter(one => one.offsetParent && one.innerText.trim() && !one.querySelector("img, textarea"))
  .filter(one => one.innerText.trim().split(/\\s+/).length < 7)
  .filter(one => {
    const range = document.createRange();
    range.selectNodeContents(one);
    const tops = new Set([...range.getClientRects()].map(line => Math.round(line.top / 8)));
    return tops.size > 4;
  })
  .map(one => `${one.id || one.className}: ${one.innerText}`)"""


def fits(page: Page, tab: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        where = f"{tab} at {width} pixels"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, where
        assert page.evaluate(CUT) == [], where
        assert page.evaluate(LINES) == [], where


def test_nothing_is_cut_off_at_any_width(page: Page) -> None:
    wait_done(page)
    expect(page.locator("#tiles figure")).to_have_count(8)
    fits(page, "Draw")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.locator("#send-edit").click()
    expect(page.locator("#painter [data-part=picture]")).to_be_visible()
    page.locator("#painter .handle[data-side=right]").click()
    fits(page, "Edit")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("tab", name="Draw").click()
    page.locator("#use").click()
    expect(page.locator("#inside [data-choice] img")).to_have_count(6)
    fits(page, "Look inside")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#sheet figure").first).to_be_visible()
    fits(page, "Compare")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#how img").first).to_be_visible()
    fits(page, "How it works")


def test_what_is_typed_has_the_whole_width_of_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    field = page.locator("#wish .field").bounding_box()
    assert field is not None and field["width"] > 340


OVER = """() => [...document.querySelectorAll("#options .block")]
  .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.id)"""


def test_no_option_is_wider_than_its_place(page: Page) -> None:
    open_box(page, "more")
    expect(page.locator("#options .block").last).to_be_visible()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(OVER) == [], f"at {width} pixels"


@pytest.mark.parametrize("width", [360, 900, 1280, 2560])
def test_the_picture_uses_the_room_that_there_is(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    wait_done(page)
    side = page.locator("#stage .large img").evaluate(
        "image => image.decode().then(() => Math.min(image.clientWidth, image.clientHeight))"
    )
    assert side >= min(0.7 * width, 390) and (width < 1700 or side >= 550)
