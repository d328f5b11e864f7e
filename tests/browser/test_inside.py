"""Looking inside a picture: by mouse, by finger, by keyboard."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import (
    draw,
    in_both_views,
    in_both_views_if_slow,
    picture_bytes,
    pixels,
    strip_pictures,
    until,
    wait_done,
)
from var_core import VARPipeline
from var_core.devices import pick_device, pick_dtype
from var_core.jobs.reconstruction import reconstruct

pytestmark = pytest.mark.browser
QUERY = "/?prompt=a+fox&style=noto&seed=7"
SCALES = 8


def cell(page: Page, place: int):
    return page.locator(f"#inside [data-place='{place}']")


def wait_for_patches(page: Page) -> None:
    expect(page.locator("#inside [data-choice] img")).to_have_count(6)


def scale_pictures(page: Page) -> list[np.ndarray]:
    """The picture after each scale, as the columns show it."""
    return strip_pictures(page, "inside [data-part=scales]")


def press(page: Page, selector: str) -> None:
    """Click, or tap where there is no mouse."""
    has_touch = page.evaluate("navigator.maxTouchPoints > 0")
    target = page.locator(selector)
    target.tap() if has_touch else target.click()


@in_both_views_if_slow
def test_a_token_of_a_drawing_is_exchanged_and_drawn_on(page: Page) -> None:
    wait_done(page)
    before = strip_pictures(page)
    press(page, "#use")
    expect(page.locator("#report")).to_contain_text("642 tokens, 7704 bits, judged as")
    expect(page.locator("#report")).to_contain_text("fox, noto")
    wait_for_patches(page)
    assert all(map(np.array_equal, scale_pictures(page), before))
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    press(page, "#inside [data-scale='3']")
    expect(page.locator("#inside [role=gridcell]")).to_have_count(9)
    press(page, "#inside [data-place='4']")
    expect(page.locator("#inside [data-part=title]")).to_have_text("Scale 3 of 8, row 2, column 2")
    expect(page.locator("#inside [data-part=token]")).to_contain_text(re.compile(r"[\d.]+ bits"))
    wait_for_patches(page)
    plain = page.locator("#inside [data-part=picture]").get_attribute("src")
    press(page, "#inside [data-choice='3']")
    expect(page.locator("#inside [data-choice='3']")).to_have_attribute("aria-checked", "true")
    assert page.locator("#inside [data-part=picture]").get_attribute("src") != plain

    press(page, "#draw-on")
    expect(page.locator("#history [data-restore]")).to_have_count(2)
    wait_done(page)
    expect(page.locator("#stage .large img")).to_be_in_viewport()
    expect(page.locator("#status")).to_contain_text("fox, noto")
    after = strip_pictures(page)
    assert all(map(np.array_equal, after[:2], before[:2]))  # kept, up to the scale of the token
    assert not np.array_equal(after[2], before[2])
    assert np.array_equal(pixels(picture_bytes(page)), after[-1])


@in_both_views
def test_any_picture_is_shown_as_the_tokenizer_makes_it(
    page: Page, tmp_path: Path, small_scenes: Path
) -> None:
    ramp = np.linspace(0, 255, 96).astype(np.uint8)
    mine = Image.fromarray(
        np.stack(np.broadcast_arrays(ramp, ramp[::-1, None], 99), axis=2).astype(np.uint8)
    )
    mine.save(tmp_path / "mine.png")
    wait_done(page)
    page.get_by_role("tab", name="Look inside").click()
    wait_for_patches(page)  # of what was drawn
    page.locator("#inside-row input[type=file]").set_input_files(tmp_path / "mine.png")
    pipeline = VARPipeline.from_pretrained(small_scenes, pick_dtype(pick_device()))
    expected = reconstruct(pipeline, mine)
    quality = f"PSNR {expected.psnr[-1]:.1f} dB, judged as a picture of anything"
    expect(page.locator("#report")).to_contain_text(quality)
    shown = scale_pictures(page)
    assert all(map(np.array_equal, shown, map(np.asarray, expected.frames)))
    for index, one in enumerate(page.locator("#inside [data-scale]").all()):
        label = one.get_attribute("aria-label")
        assert f"{expected.bits[index]} bits so far, {expected.psnr[index]:.1f} dB" in label
    error = page.locator("#inside [data-part=source]")
    expect(error).to_be_hidden()
    press(page, "#inside [data-view-name='error']")
    expect(error).to_be_visible()
    expect(page.locator("#inside [data-part=legend]")).to_be_hidden()


def test_the_keyboard_reaches_every_token_and_its_alternatives(page: Page) -> None:
    wait_done(page)
    page.locator("#use").click()
    wait_for_patches(page)
    page.locator("#inside [data-scale='2']").press("Enter")
    cell(page, 0).click()
    for key, place in (("ArrowRight", 1), ("ArrowDown", 3), ("ArrowDown", 3), ("Home", 2)):
        page.keyboard.press(key)
        expect(cell(page, place)).to_be_focused()
        expect(cell(page, place)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#inside [data-part=title]")).to_have_text("Scale 2 of 8, row 2, column 1")
    wait_for_patches(page)
    page.keyboard.press("Tab")
    expect(page.locator("#inside [data-choice='0']")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#inside [data-choice='1']")).to_be_focused()
    expect(page.locator("#draw-on")).to_have_text("Redraw from here with this token")
    page.keyboard.press("Tab")
    expect(page.locator("#draw-on")).to_be_focused()
    page.locator(f"#inside [data-scale='{SCALES}']").press("Enter")
    expect(page.locator("#draw-on")).to_be_disabled()
    expect(page.locator("#inside [data-part=hint]")).to_contain_text("Nothing finer is left")


def test_a_token_that_is_left_and_chosen_again_has_its_alternatives(page: Page) -> None:
    wait_done(page)
    page.locator("#use").click()
    page.locator("#inside [data-scale='2']").click()
    cell(page, 0).click()
    wait_for_patches(page)
    away_and_back = """() => ["ArrowRight", "ArrowLeft"].forEach(key => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true });
      document.activeElement.dispatchEvent(event);
    })"""
    page.evaluate(away_and_back)
    expect(cell(page, 0)).to_be_focused()
    wait_for_patches(page)


def test_a_token_that_is_chosen_while_another_is_asked_for_has_its_alternatives(page: Page) -> None:
    wait_done(page)
    page.locator("#use").click()
    page.locator("#inside [data-scale='2']").click()
    wait_for_patches(page)
    shown = page.locator("#inside [role=gridcell][aria-selected=true]").get_attribute("data-place")
    others = [number for number in range(4) if str(number) != shown]  # not yet asked for
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    for count, number in enumerate(others[:2], 1):
        cell(page, number).click()
        until(page, lambda count=count: len(held) == count)
    for route in held:
        route.continue_()
    page.unroute("**/queue/join*")
    wait_for_patches(page)
    cell(page, others[0]).click()
    wait_for_patches(page)


def test_shares_of_attention_are_bars_and_a_table(page: Page) -> None:
    wait_done(page)
    page.locator("#use").click()
    wait_for_patches(page)
    page.locator("#inside [data-scale='5']").click()
    expect(page.locator("#inside [data-part=looks]")).to_have_text("Where scale 5 looked")
    bars = page.locator("#inside [data-part=bars] > div")
    expect(bars).to_have_count(2 + 5)
    for number, words in enumerate(("a fox", "no phrase", "start: what was asked")):
        expect(bars.nth(number)).to_contain_text(words)
    rows = page.locator("#inside .matrix tbody tr")
    expect(rows).to_have_count(SCALES)
    for number in range(SCALES):
        shares = rows.nth(number).locator("td").all_inner_texts()
        assert abs(sum(int(one) for one in shares if one) - 100) <= 4  # rounded
        assert all(one == "" for one in shares[2 + number + 1 :])


def test_without_a_drawing_it_says_how_to_begin(held_page: Page) -> None:
    held_page.get_by_role("tab", name="Look inside").click()
    expect(held_page.locator("#report")).to_contain_text("Open any picture")
    expect(held_page.locator("#inside [role=gridcell]")).to_have_count(0)
    held_page.get_by_role("tab", name="Draw").click()
    expect(held_page.locator("#use")).to_be_hidden()


def test_a_picture_that_is_sent_is_the_one_of_the_stage(page: Page) -> None:
    draw(page)
    drawn = pixels(picture_bytes(page))
    page.locator("#use").click()
    wait_for_patches(page)
    assert np.array_equal(scale_pictures(page)[-1], drawn)
