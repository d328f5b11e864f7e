"""A gallery of pictures: by keyboard alone, by link, and after the page was opened anew."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    choose_action,
    draw,
    in_both_views_if_slow,
    loading,
    picture_bytes,
    pixels,
    set_count,
    until,
    wait_done,
)
from tests.browser.test_editing import (
    finished,
    go_back,
    press,
    shown_file,
    shown_pixels,
    stroke,
    tool,
)
from tests.browser.test_inside import wait_for_patches

pytestmark = pytest.mark.browser


def edit_one(page: Page, place: int) -> np.ndarray:
    """Redraw the middle of a picture in the place of the stage; the result, once that is back."""
    choose_action(page, place, "Edit")
    expect(page.locator("#painter [data-part=picture]")).to_be_visible()
    expect(page.locator("#stage")).to_be_hidden()
    assert "tab=edit" in page.url
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.75, 0.75))
    edited = press(page, "redraw-mask")
    page.locator("#edit-done").click()
    expect(page.locator("#stage")).to_be_visible()
    return edited


@in_both_views_if_slow
def test_a_gallery_loses_nothing(page: Page) -> None:
    set_count(page, 8)
    draw(page)
    tiles, entries = page.locator("#tiles figure"), page.locator("#history [data-restore]")
    expect(tiles).to_have_count(8)
    expect(entries).to_have_count(1)
    first, address = picture_bytes(page), page.url
    edited = edit_one(page, 2)
    tiles.nth(2).locator("[data-look]").click()
    assert np.array_equal(pixels(picture_bytes(page)), edited)
    with page.expect_download() as saved:
        page.locator("#save").click()
    assert np.array_equal(pixels(saved.value.path().read_bytes()), edited)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save all as one sheet").click()
    sheet = pixels(saved.value.path().read_bytes())
    assert sheet.shape == (2 * 256 + 4, 4 * 256 + 3 * 4, 3)
    assert np.array_equal(sheet[:256, 2 * 260 : 2 * 260 + 256], edited)  # as it is seen
    assert np.array_equal(sheet[:256, :256], pixels(first))
    page.locator("#send-edit").click()  # goes on with the edit
    expect(page.locator("#painter [data-version]")).to_have_count(2)
    go_back(page, page.locator("#painter [data-part=undo]").click)
    page.locator("#edit-done").click()
    expect(page.locator("#stage .seed")).to_contain_text("Seed ")
    assert not np.array_equal(pixels(picture_bytes(page)), edited)
    choose_action(page, 5, "Copy link")
    expect(page.locator("#status")).to_contain_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert page.url == address
    sixth = picture_bytes(page)
    assert sixth != first
    with loading(page):
        page.reload()
    wait_done(page)
    expect(tiles).to_have_count(8)
    expect(entries).to_have_count(1)
    assert picture_bytes(page) == first
    page.locator("#history [data-reopen]").click()  # the edit is kept too
    until(page, lambda: shown_file(page))
    assert np.array_equal(shown_pixels(page), edited)
    with loading(page):
        page.goto(copied)
    wait_done(page)
    expect(tiles).to_have_count(0)
    assert picture_bytes(page) == sixth
    page.go_back()
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "drawn")
    expect(tiles).to_have_count(8)
    wait_done(page)
    assert picture_bytes(page) == first


def test_an_edited_picture_is_varied_and_looked_into(page: Page) -> None:
    draw(page)
    drawn = pixels(picture_bytes(page))
    page.locator("#send-edit").click()
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.75, 0.75))
    edited = press(page, "redraw-mask")
    page.locator("#edit-done").click()
    page.locator("#use").click()
    expect(page.locator("#report")).to_contain_text("PSNR")  # of pixels; a drawing has tokens
    wait_for_patches(page)
    page.get_by_role("tab", name="Draw").click()
    page.locator("#vary-one").click()
    expect(page.locator("#painter [data-version]")).to_have_count(3)
    varied = finished(page)
    assert not np.array_equal(varied, edited) and not np.array_equal(varied, drawn)
    page.locator("#edit-done").click()
    until(page, lambda: np.array_equal(pixels(picture_bytes(page)), varied))


def test_the_keyboard_reaches_everything(page: Page) -> None:
    set_count(page, 4)
    draw(page)
    picks = page.locator("#tiles [data-look]")
    picks.first.focus()
    page.keyboard.press("ArrowRight")
    expect(picks.nth(1)).to_be_focused()
    expect(picks.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-more='1']")).to_be_focused()
    page.locator("#stage .large").press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(picks.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#status")).to_contain_text("Done in ")  # Escape stopped nothing
    page.locator("#strip").press("Home")
    expect(page.locator("#redraw")).to_be_enabled()
