"""What a visitor does around a drawing: controls, scales, links, files, history."""

import base64
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    asked,
    chip,
    choose,
    draw,
    in_both_views,
    in_both_views_if_slow,
    loading,
    look_at_scale,
    open_box,
    picture_bytes,
    pixels,
    set_count,
    set_number,
    strip_pictures,
    until,
    wait_done,
)
from var_core.jobs.png_recipe import read_png_recipe

pytestmark = pytest.mark.browser


def test_a_seed_is_new_kept_and_used_again(page: Page) -> None:
    open_box(page, "more")
    seed, keep = page.locator("#seed input"), page.locator("#keep-seed input")
    expect(keep).not_to_be_checked()
    draw(page)
    first = seed.input_value()
    assert first != "7"
    draw(page)
    second = seed.input_value()
    assert second != first
    keep.check()
    picture = picture_bytes(page)
    draw(page)
    expect(seed).to_have_value(second)
    assert picture_bytes(page) == picture


def test_a_preset_sets_the_options(page: Page) -> None:
    open_box(page, "more")
    page.locator("#preset").get_by_text("Wild", exact=True).click()
    expect(page.locator("#temperature input[type=number]")).to_have_value("1.3")
    expect(page.locator("#top_k input[type=number]")).to_have_value("0")
    set_number(page, "temperature", "0.8")
    expect(page.locator("#preset input:checked")).to_have_value("Own")
    page.locator("#preset").get_by_text("Balanced", exact=True).click()
    expect(page.locator("#temperature input[type=number]")).to_have_value("1")


def test_every_option_that_is_set_by_hand_stands_in_the_picture(page: Page, tmp_path: Path) -> None:
    open_box(page, "more")
    typed = {"guidance": "2.5", "temperature": "0.8", "top_k": "300", "top_p": "0.7"}
    for name, value in typed.items():
        set_number(page, name, value)
    page.locator("#smooth input").check()
    page.locator("#precision").get_by_text("fp32").click()
    draw(page)
    (tmp_path / "mine.png").write_bytes(picture_bytes(page))
    recipe = read_png_recipe(tmp_path / "mine.png")
    names = ("guidance_scale", "temperature", "top_k", "top_p", "smooth", "dtype")
    assert [recipe[name] for name in names] == [2.5, 0.8, 300, 0.7, True, "float32"]
    look_at_scale(page, 3)
    expect(page.locator("#redraw")).to_be_disabled()  # a smooth picture has no tokens to keep


@in_both_views_if_slow
def test_the_scrubber_shows_a_scale_and_redraws_from_it(page: Page) -> None:
    choose(page, "thing", "apple")
    choose(page, "style", "noto")
    set_number(page, "seed", "7")
    draw(page)
    before, first = strip_pictures(page), picture_bytes(page)
    strip = page.locator("#strip")
    strip.scroll_into_view_if_needed()
    boxes = [cell.bounding_box() for cell in strip.locator("[data-scale]").all()]
    middle = boxes[3]["y"] + boxes[3]["height"] / 3
    page.mouse.move(boxes[-1]["x"] + boxes[-1]["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(boxes[3]["x"] + boxes[3]["width"] / 2, middle, steps=8)
    page.mouse.up()
    expect(strip).to_have_attribute("aria-valuenow", "4")
    until(page, lambda: np.array_equal(pixels(picture_bytes(page)), before[3]))
    strip.press("ArrowLeft")
    expect(strip).to_have_attribute("aria-valuenow", "3")
    assert np.array_equal(pixels(picture_bytes(page)), before[2])
    choose(page, "style", "twemoji")
    draw(page, "prompt-from")
    expect(page.locator("#redraw")).to_be_disabled()
    expect(page.locator("#stage .words")).to_contain_text("twemoji")
    after = strip_pictures(page)
    same = [np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
    assert same[:3] == [True] * 3 and not same[-1]
    assert picture_bytes(page) != first
    strip.press("Home")
    strip.press("ArrowRight")
    choose(page, "style", "noto")
    draw(page, "redraw")
    expect(page.locator("#stage .words")).to_contain_text("twemoji")  # its own wish
    again = strip_pictures(page)
    same = [np.array_equal(old, new) for old, new in zip(after, again, strict=True)]
    assert same[:2] == [True] * 2 and not same[-1]


LINKED = {
    "prompt": "an apple",
    "style": "twemoji",
    "seed": "12",
    "count": "2",
    "guidance_scale": "2",
    "temperature": "0.9",
    "top_k": "400",
    "top_p": "0.6",
    "smooth": "false",
    "precision": "fp32",
    "with_recipe": "true",
}


def shown_values(page: Page) -> dict[str, str]:
    """What the controls show, under the names of links."""
    expect(page.locator("#wish .chip")).to_have_count(2)
    thing, style = asked(page)
    values = {"prompt": f"an {thing}", "style": style}
    values["seed"] = page.locator("#seed input").input_value()
    values["count"] = page.locator("#count input:checked").input_value()
    numbers = ("guidance", "temperature", "top_k", "top_p")
    for name in numbers:
        values[name] = page.locator(f"#{name} input[type=number]").input_value()
    values["guidance_scale"] = values.pop("guidance")
    for name in ("smooth", "with_recipe"):
        values[name] = str(page.locator(f"#{name} input").is_checked()).lower()
    values["precision"] = page.locator("#precision input:checked").input_value()
    return values


def test_a_link_and_a_png_restore_the_settings(page: Page, url: str, tmp_path: Path) -> None:
    query = "&".join(f"{name}={value}".replace(" ", "+") for name, value in LINKED.items())
    with loading(page):
        page.goto(f"{url}/?{query}")
    open_box(page, "more")
    assert shown_values(page) == LINKED
    expect(page.locator("#keep-seed input")).to_be_checked()
    wait_done(page)  # a link with a seed draws its picture
    expect(page.locator("#tiles figcaption")).to_have_text(["seed 12", "seed 13"])
    linked, address = picture_bytes(page), page.url
    page.get_by_role("button", name="Copy link to all").click()
    expect(page.locator("#status")).to_contain_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "prompt=an+apple" in copied and page.url == address
    set_count(page, 1)
    draw(page)
    first = picture_bytes(page)
    (tmp_path / "mine.png").write_bytes(first)

    with loading(page):
        page.goto(copied)
    open_box(page, "more")
    expect(page.locator("#seed input")).to_have_value("12")
    wait_done(page)
    assert picture_bytes(page) == linked
    assert shown_values(page) == LINKED

    with loading(page):
        page.goto(url)
    open_box(page, "more")
    expect(page.locator("#seed input")).to_have_value("7")
    with page.expect_file_chooser() as chooser:
        page.locator("#drop").click()
    chooser.value.set_files(tmp_path / "mine.png")
    expect(page.locator("#seed input")).to_have_value("12")
    assert shown_values(page) == {**LINKED, "count": "1"}
    draw(page)
    assert picture_bytes(page) == first


def test_a_png_dropped_on_the_page_restores_its_settings(page: Page, url: str) -> None:
    choose(page, "style", "noto")
    set_number(page, "seed", "33")
    draw(page)
    data = base64.b64encode(picture_bytes(page)).decode()
    with loading(page):
        page.goto(url)
    open_box(page, "more")
    expect(page.locator("#seed input")).to_have_value("7")
    drop = """data => {
      const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "it.png", {type: "image/png"}));
      const event = {dataTransfer: transfer, bubbles: true, cancelable: true};
      document.querySelector(".header").dispatchEvent(new DragEvent("drop", event));
    }"""
    page.evaluate(drop, data)
    expect(page.locator("#seed input")).to_have_value("33")
    expect(chip(page, "noto")).to_be_visible()
    page.evaluate(drop, base64.b64encode(b"no picture").decode())
    expect(page.locator("#status .notice")).to_contain_text("is not a readable PNG")


@in_both_views
def test_the_picture_comes_before_what_is_rarely_used(page: Page) -> None:
    draw(page)
    stage, drop = (page.locator(name).bounding_box() for name in ("#stage", "#drop"))
    assert drop["y"] > stage["y"] + stage["height"]
    expect(page.get_by_role("button", name="Copy link", exact=True)).to_have_count(1)


def test_a_recipe_can_be_left_out(page: Page) -> None:
    draw(page)
    assert "var-studio" in Image.open(io.BytesIO(picture_bytes(page))).info
    open_box(page, "more")
    page.locator("#with_recipe input").uncheck()
    draw(page)
    assert Image.open(io.BytesIO(picture_bytes(page))).info == {}


def test_the_animation_and_the_archive_are_downloaded(page: Page) -> None:
    draw(page)
    draw(page)
    expect(page.locator("#history [data-restore]")).to_have_count(2)
    with page.expect_download() as download:
        page.locator("#animate").click()
    with Image.open(download.value.path()) as moving:
        assert moving.format == "WEBP" and moving.n_frames == len(strip_pictures(page))
    last = picture_bytes(page)
    with page.expect_download() as download:
        page.locator("#archive").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 2
        assert archive.read(archive.namelist()[-1]) == last


@in_both_views_if_slow
def test_the_history_restores_and_deletes(page: Page) -> None:
    choose(page, "thing", "apple")
    open_box(page, "more")
    draw(page)
    first, seed = picture_bytes(page), page.locator("#seed input").input_value()
    choose(page, "thing", "lemon")
    draw(page)
    entries = page.locator("#history [data-restore]")
    expect(entries).to_have_count(2)
    entries.last.click()
    expect(page.locator("#status")).to_contain_text("an apple")
    wait_done(page)
    expect(page.locator("#seed input")).to_have_value(seed)
    expect(chip(page, "apple")).to_be_visible()
    until(page, lambda: picture_bytes(page) == first)
    expect(entries).to_have_count(2)
    page.locator("#history [data-delete]").first.click()
    expect(entries).to_have_count(1)
    page.locator("#history [data-delete]").first.click()
    expect(page.locator("#history")).to_contain_text("What you draw is kept here")
