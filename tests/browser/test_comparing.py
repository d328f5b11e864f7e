"""Sheets of two settings: what is said before, cells that form, what can be done with each."""

from pathlib import Path

import numpy as np
import pytest
from PIL import UnidentifiedImageError
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import (
    Gated,
    in_both_views,
    in_both_views_if_slow,
    picture_bytes,
    pixels,
    until,
    wait_done,
)
from tests.clients import num_cancelling
from tests.gated_engine import GatedEngine
from var_core.jobs.png_recipe import read_png_recipe
from var_core.web.how_tab import PICTURES

pytestmark = pytest.mark.browser
QUERY = "/?prompt=an+apple&style=noto"
SOURCES = "all => all.map(one => one.getAttribute('src'))"


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#sheet figure").first).to_be_visible()


def values(page: Page, side: str, text: str) -> None:
    """Type the values of one side, until the page has taken note."""
    page.locator(f"#{side}-values textarea").click()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def setting(page: Page, side: str, name: str) -> None:
    """Choose what is compared along a side."""
    page.locator(f"#{side} input").click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(page.get_by_test_id("dropdown-option")).to_have_count(0)  # a list fades before the next


def preset(page: Page, name: str) -> None:
    page.locator("#compare-presets").get_by_role("button", name=name).click()


def small(page: Page) -> None:
    """Two seeds in two styles."""
    open_tab(page)
    setting(page, "rows", "Seed")
    setting(page, "columns", "Style")
    values(page, "rows", "11, 12")
    values(page, "columns", "noto\ntwemoji")
    expect(page.locator("#compare-status")).to_contain_text("4 pictures")
    expect(page.locator("#sheet figure")).to_have_count(4)


def draw_sheet(page: Page) -> None:
    page.locator("#compare-draw").click()
    expect(page.locator("#compare-status")).to_contain_text("Done in ")
    expect(page.locator("#sheet figure[aria-busy=false] img:not([hidden])")).to_have_count(
        page.locator("#sheet figure").count()
    )
    expect(page.locator("#compare-draw")).to_be_visible()
    expect(page.locator("#sheet [data-part=after]")).to_be_visible()


def cell_pixels(page: Page, place: int) -> np.ndarray:
    """The finished picture of a cell."""
    image = page.locator("#sheet figure img").nth(place)
    content = image.evaluate(
        "image => fetch(image.src).then(reply => reply.arrayBuffer())"
        ".then(bytes => [...new Uint8Array(bytes)])"
    )
    return pixels(bytes(content))


@in_both_views_if_slow
def test_a_sheet_forms_cell_by_cell_and_every_cell_can_be_sent_on(page: Page) -> None:
    open_tab(page)
    expect(page.locator("#compare-status")).to_contain_text("12 pictures, drawn together (at most")
    small(page)
    posts: list[Request] = []
    page.on("request", lambda one: posts.append(one) if one.method == "POST" else None)
    draw_sheet(page)
    assert len(posts) == 1
    heads = page.locator("#sheet .head").all_inner_texts()
    assert heads == ["seed 11", "seed 12", "noto", "twemoji"]
    page.locator("#sheet .pick").nth(1).click()
    expect(page.locator("#sheet dialog[open] [data-part=full]")).to_have_attribute(
        "alt", "seed 11, twemoji"
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator("#sheet [data-part=full-words]")).to_have_text("seed 12, noto")
    page.keyboard.press("Escape")
    expected = cell_pixels(page, 2)
    page.locator("#sheet figure").nth(2).hover()
    page.locator("#sheet [data-more='2']").click()
    page.get_by_role("menuitem", name="Open in Draw").click()
    wait_done(page)
    expect(page.locator("#stage .large img")).to_be_visible()
    assert np.array_equal(pixels(picture_bytes(page)), expected)
    expect(page.locator("#status")).to_contain_text("seed 12")


def test_what_is_too_much_is_said_before_anything_runs(page: Page) -> None:
    open_tab(page)
    setting(page, "rows", "Seed")
    setting(page, "columns", "Style")
    values(page, "rows", "1, 2, 3, 4, 5, 6")
    said = page.locator("#compare-status")
    expect(said).to_contain_text("A sheet has at most 16 pictures, not 18")
    values(page, "rows", "one, two")
    expect(said).to_contain_text("Write numbers with commas between them, not 'one'")
    page.locator("#compare-draw").click()
    expect(page.locator("#compare-status .notice")).to_contain_text("write numbers with commas")
    expect(page.locator("#compare-draw")).to_be_visible()
    preset(page, "Guidance and seeds")
    expect(said).to_contain_text("12 pictures")
    expect(page.locator("#sheet figure")).to_have_count(12)
    expect(page.locator("#sheet .head").first).to_have_text("guidance 0")
    setting(page, "rows", "Temperature")
    expect(page.locator("#rows-values textarea")).to_have_value("0.5, 1, 1.5")
    expect(page.locator("#sheet .head").first).to_have_text("temperature 0.5")


def test_scales_are_kept_of_the_picture_in_draw(page: Page) -> None:
    open_tab(page)
    preset(page, "Scales kept")
    expect(page.locator("#compare-status")).to_contain_text("of the picture in Draw")
    page.locator("#compare-draw").click()
    expect(page.locator("#compare-status .notice")).to_contain_text("draw one first")
    page.get_by_role("tab", name="Draw").click()
    page.locator("#generate").click()
    wait_done(page)
    expected = pixels(picture_bytes(page))
    open_tab(page)
    setting(page, "columns", "Seed")
    values(page, "rows", "0, 6")
    values(page, "columns", "1, 2")
    expect(page.locator("#sheet figure")).to_have_count(4)
    draw_sheet(page)
    far = [np.abs(cell_pixels(page, place).astype(int) - expected).mean() for place in range(4)]
    assert max(far[2:]) < min(far[:2])  # what keeps six of eight scales is nearer


@in_both_views_if_slow
def test_a_link_a_file_and_what_was_drawn_so_far_bring_a_sheet_back(
    page: Page, tmp_path: Path
) -> None:
    small(page)
    draw_sheet(page)
    found = [cell_pixels(page, place) for place in range(4)]

    def is_back() -> bool:
        done = page.locator("#sheet [data-part=after]:not([hidden])").count()
        shown = page.locator("#sheet figure img:not([hidden])").count()
        if not done or shown != len(found):
            return False
        try:
            return all(np.array_equal(cell_pixels(page, n), one) for n, one in enumerate(found))
        except UnidentifiedImageError:
            return False  # the sheet began anew just now

    def check() -> None:
        expect(page.locator("#compare-status")).to_contain_text("Done in ")
        until(page, is_back)

    page.get_by_role("button", name="Copy link to the sheet").click()
    expect(page.locator("#compare-status")).to_contain_text("Link copied")
    page.goto(page.evaluate("navigator.clipboard.readText()"))
    check()
    expect(page.locator("#columns-values textarea")).to_have_value("noto\ntwemoji")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the sheet").click()
    saved.value.save_as(tmp_path / "sheet.png")
    recipe = read_png_recipe(tmp_path / "sheet.png")
    assert recipe is not None and recipe["compare"]["columns"] == {"style": ["noto", "twemoji"]}
    page.get_by_role("tab", name="Draw").click()
    entry = page.locator("#history [data-restore]")
    expect(entry).to_have_count(1)
    entry.click()
    expect(page.locator("#sheet")).to_be_visible()
    check()
    preset(page, "Guidance and seeds")
    page.locator("#exchange input[type=file]").set_input_files(tmp_path / "sheet.png")
    expect(page.locator("#columns-values textarea")).to_have_value("noto, twemoji")
    check()


def test_stop_leaves_what_is_there(held_page: Page, engine: GatedEngine, gated: Gated) -> None:
    page, before = held_page, engine.num_jobs("cancelled")
    small(page)
    with engine.gate.closed():
        page.keyboard.press("Control+Enter")
        engine.gate.let(2)
        expect(page.locator("#sheet figure img:not([hidden])")).to_have_count(4)
        expect(page.locator("#compare-status")).to_contain_text("Scale 2 of 8")
        shown = page.locator("#sheet figure img").evaluate_all(SOURCES)
        assert len(set(shown)) > 1 and all(one.startswith("data:image/jpeg") for one in shown)
        page.keyboard.press("Escape")
        until(page, lambda: num_cancelling(gated.blocks))
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled") > before)
    expect(page.locator("#compare-status")).to_contain_text("Stopped after scale 2 of 8")
    expect(page.locator("#compare-draw")).to_be_visible()
    expect(page.locator("#sheet figure img:not([hidden])")).to_have_count(4)


def test_on_a_narrow_page_the_shorter_side_goes_across(page: Page) -> None:
    open_tab(page)
    lefts = "all => new Set(all.map(one => Math.round(one.getBoundingClientRect().left))).size"
    assert page.locator("#sheet figure").evaluate_all(lefts) == 4
    page.set_viewport_size({"width": 390, "height": 844})
    until(page, lambda: page.locator("#sheet figure").evaluate_all(lefts) == 3)
    widths = page.locator("#sheet figure").evaluate_all("all => all.map(one => one.offsetWidth)")
    assert min(widths) >= 80


@in_both_views
def test_how_it_works_shows_real_pictures(page: Page) -> None:
    page.get_by_role("tab", name="How it works").click()
    pictures = page.locator("#how img")
    expect(pictures).to_have_count(len(PICTURES))
    assert all(pictures.evaluate_all("all => all.map(one => one.naturalWidth > 0 && one.alt)"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
