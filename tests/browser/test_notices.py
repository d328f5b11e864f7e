"""What gradio would say in boxes over the page stands in the status."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FRAMES, draw, in_both_views, set_number

pytestmark = pytest.mark.browser
WATCH = """() => {
  window.boxes = { met: 0, seen: [] };
  const look = () => {
    const boxes = [...document.querySelectorAll("[data-testid=toast-body]")];
    window.boxes.met += boxes.length;
    const shown = boxes.filter(box => getComputedStyle(box).visibility === "visible");
    const covered = [...document.querySelectorAll("button:not(.toast-wrap *)")]
      .filter(button => button.checkVisibility())
      .filter(button => {
        const { left, top, width, height } = button.getBoundingClientRect();
        const above = document.elementFromPoint(left + width / 2, top + height / 2);
        return above?.closest(".toast-wrap");
      });
    window.boxes.seen.push(...shown.map(box => box.innerText), ...covered.map(one => one.id));
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  const lookAgain = () => (look(), requestAnimationFrame(lookAgain));
  lookAgain();
}"""  # looks at every change and in every frame


@in_both_views
def test_no_box_lies_over_the_page(page: Page) -> None:
    draw(page)
    page.locator("#send-edit").click()
    expect(page.locator("#redraw-mask")).to_be_enabled()
    page.evaluate(WATCH)
    for _ in range(2):
        page.locator("#redraw-mask").click()
        notice = page.locator("#edit-status .notice")
        expect(notice).to_contain_text("the mask is empty")
        expect(notice).to_be_in_viewport(ratio=0.9)
        page.evaluate(FRAMES)
        expect(page.locator("[data-testid=toast-body]")).to_have_count(0)
    boxes = page.evaluate("window.boxes")
    assert boxes["met"] > 0, "no message came in a box, so nothing was tried"
    assert boxes["seen"] == []


@pytest.mark.parametrize("visitor", ["phone"], indirect=True)
def test_what_is_wrong_is_said_in_view_though_the_options_are_open(page: Page) -> None:
    set_number(page, "seed", "-7")
    page.locator("#generate").click()
    notice = page.locator("#status .notice")
    expect(notice).to_contain_text("seed must be a whole number")
    expect(notice).to_be_in_viewport(ratio=0.9)
