"""The Edit tab, by mouse and by finger, at both sizes."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    FRAMES,
    Gated,
    choose,
    draw,
    in_both_views,
    open_box,
    picture_bytes,
    pixels,
    set_number,
    until,
)
from tests.clients import num_cancelling
from tests.gated_engine import GatedEngine
from var_core.editing import Window, window_around

pytestmark = pytest.mark.browser
BOARD = "#painter [data-part=mask]"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Stripes, so that every pixel says where it belongs."""
    rows, columns = np.mgrid[:64, :64]
    values = np.stack([columns * 4, rows * 4, (rows + columns) % 2 * 255], axis=2)
    path = tmp_path / "stripes.png"
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def open_editor(page: Page, path: Path) -> None:
    page.get_by_role("tab", name="Edit").click()
    page.locator(BOARD).wait_for(state="attached")
    page.locator("#edit-files input[type=file]").first.set_input_files(path)
    expect(page.locator("#edit-status")).to_contain_text("Paint the area to change")
    page.locator(BOARD).scroll_into_view_if_needed()


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """Paint along points, given as shares of the board: by finger where there is one."""
    page.locator(BOARD).scroll_into_view_if_needed()
    box = page.locator(BOARD).bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    if not page.evaluate("navigator.maxTouchPoints"):
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=5)
        page.mouse.up()
        return
    fingers = page.context.new_cdp_session(page)
    for kind, place in [("touchStart", places[0]), *[("touchMove", one) for one in places[1:]]]:
        touch = [{"x": place[0], "y": place[1]}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touch})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    fingers.detach()


def mask_of(page: Page) -> np.ndarray:
    """What is painted, read from the pixels of the board."""
    alpha = page.locator(BOARD).evaluate(
        "board => [...board.getContext('2d').getImageData(0, 0, board.width, board.height).data]"
        ".filter((_, place) => place % 4 === 3)"
    )
    size = page.locator(BOARD).evaluate("board => [board.height, board.width]")
    return np.array(alpha).reshape(size) > 0


def window_of(page: Page) -> str:
    return page.evaluate("document.querySelector('#painter [data-window]').dataset.window")


def tool(page: Page, name: str) -> None:
    page.locator(f"#painter [data-part={name}]").click()


RESULT = "(document.querySelector('#edit-stage img')?.getAttribute('src') ?? '')"


def finished(page: Page, before: str = "") -> np.ndarray:
    """Wait for a finished picture, another file than the one before; its pixels."""
    page.wait_for_function(
        f"before => {RESULT}.endsWith('.png') && {RESULT} !== before", arg=before
    )
    expect(page.locator("#edit-status")).to_contain_text("Done in ")
    return pixels(picture_bytes(page, "edit-stage"))


def press(page: Page, name: str) -> np.ndarray:
    """Press a button that draws; the finished picture."""
    before = page.evaluate(RESULT)
    page.locator(f"#{name}").click()
    return finished(page, before)


@in_both_views
def test_the_tools_paint_what_they_say(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    line = mask_of(page)
    assert line[32, 22:42].all() and not line[10].any()
    assert "% to redraw" in page.locator("#painter .coverage").inner_text()
    tool(page, "eraser")
    stroke(page, (0.5, 0.3), (0.5, 0.7))
    erased = mask_of(page)
    assert not erased[32, 32] and erased[32, 22]
    tool(page, "undo")
    assert np.array_equal(mask_of(page), line)
    tool(page, "redo")
    assert np.array_equal(mask_of(page), erased)
    tool(page, "rectangle")
    stroke(page, (0.1, 0.1), (0.4, 0.3))
    box = mask_of(page)
    assert box[7:19, 7:25].all() and not box[7:19, 30:].any()
    tool(page, "invert")
    assert np.array_equal(mask_of(page), ~box)
    tool(page, "clear")
    assert not mask_of(page).any()
    page.keyboard.press("Control+z")
    assert np.array_equal(mask_of(page), ~box)
    tool(page, "clear")
    size = page.locator("#painter [data-part=size]")
    before = float(size.input_value())
    page.keyboard.press("]")
    assert float(size.input_value()) > before
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.5, 0.5))
    area, before_growing = mask_of(page).sum(), page.locator("#painter .coverage").inner_text()
    page.locator("#grow").click()
    expect(page.locator("#painter .coverage")).not_to_have_text(before_growing)
    assert mask_of(page).sum() == (area**0.5 + 2) ** 2
    page.locator("#shrink").click()
    expect(page.locator("#painter .coverage")).to_have_text(before_growing)
    assert mask_of(page).sum() == area


@in_both_views
def test_the_grid_shows_the_window_that_the_model_sees(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (300, 200), "teal").save(path)
    open_editor(page, path)
    tool(page, "rectangle")
    stroke(page, (0.2, 0.2), (0.35, 0.5))
    mask = mask_of(page)
    assert Window(**json.loads(window_of(page))) == window_around(mask, 64)
    cells = page.evaluate("document.querySelector('#painter [data-cells]').dataset.cells")
    assert 0 < int(cells) < 64


@in_both_views
def test_everything_that_edits_edits_and_sends_one_post(page: Page, picture: Path) -> None:
    source = np.asarray(Image.open(picture))
    open_editor(page, picture)
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.url) if one.method == "POST" else None)
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.75, 0.75))
    mask = mask_of(page)
    assert posts == []  # painting is nobody else's business
    inner = press(page, "redraw-mask")
    assert len(posts) == 1 and "/queue/join" in posts[0]
    changed = (inner != source).any(axis=2)
    assert changed[mask].mean() > 0.9 and not changed[:13].any() and not changed[:, :13].any()
    assert page.locator("#edit-strip img").count() == 7

    page.locator("#use-edited").click()
    expect(page.locator("#painter .coverage")).to_have_text("0 % to redraw")  # visibly cleared
    choose(page, "edit-emoji", "red apple")
    expect(page.locator("#edit-category input")).to_have_value(re.compile("food-fruit"))
    page.locator("#edit-keep input").check()
    set_number(page, "edit-seed", "3")
    tool(page, "rectangle")
    stroke(page, (0.1, 0.1), (0.9, 0.9))
    as_apple = press(page, "redraw-mask")
    assert (as_apple != inner).any()
    assert np.array_equal(press(page, "redraw-mask"), as_apple)  # the seed is kept

    open_box(page, "outpaint-box")
    wide = press(page, "outpaint")  # right by half, as it is set
    assert wide.shape == (64, 96, 3)
    assert np.array_equal(wide[:, :60], inner[:, :60])
    open_box(page, "vary-box")
    varied = press(page, "vary")
    assert varied.shape == (64, 64, 3) and (varied != inner).any()
    open_box(page, "compare-box")
    expect(page.locator("#compare img")).to_have_count(2)
    before, after = (
        page.locator("#compare img").nth(place).get_attribute("src") for place in (0, 1)
    )
    assert before != after
    page.locator("#keep-mask input").check()
    painted = mask_of(page)
    assert painted.any()
    shown = page.locator("#painter [data-part=picture]")
    before = shown.get_attribute("src")
    page.locator("#use-edited").click()
    expect(shown).not_to_have_attribute("src", before)
    page.evaluate(FRAMES)
    assert np.array_equal(mask_of(page), painted)


@in_both_views
def test_an_edit_stops_half_way_and_goes_again(
    held_page: Page, engine: GatedEngine, gated: Gated, picture: Path
) -> None:
    page = held_page
    open_editor(page, picture)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    before = engine.num_jobs("cancelled", "edit")
    with engine.gate.closed():
        page.locator("#redraw-mask").click()
        engine.gate.let(2)
        expect(page.locator("#edit-strip img")).to_have_count(2)
        page.keyboard.press("Escape")
        until(page, lambda: num_cancelling(gated.blocks))
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled", "edit") > before)
    expect(page.locator("#edit-status")).to_contain_text("Stopped")
    until(page, lambda: engine.queue.counts() == (0, 0))
    assert page.locator("#edit-strip img").count() == 2
    assert len(engine.steps) <= 4  # within one scale of when the handler ended
    assert mask_of(page).any()  # nothing is lost
    page.keyboard.press("Control+Enter")
    finished(page)


def test_what_is_pressed_while_an_edit_stops_is_drawn_after_it(
    held_page: Page, engine: GatedEngine, gated: Gated, picture: Path
) -> None:
    page = held_page
    open_editor(page, picture)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    with engine.gate.closed():
        page.locator("#redraw-mask").click()
        engine.gate.let(2)
        expect(page.locator("#edit-strip img")).to_have_count(2)
        page.keyboard.press("Escape")
        until(page, lambda: num_cancelling(gated.blocks))
        page.locator("#redraw-mask").click()
    finished(page)


@in_both_views
def test_a_new_picture_leaves_nothing_of_the_one_before(
    page: Page, picture: Path, tmp_path: Path
) -> None:
    open_editor(page, picture)
    choose(page, "edit-emoji", "red apple")
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    press(page, "redraw-mask")
    expect(page.locator("#edit-status")).to_contain_text("red apple")
    Image.new("RGB", (80, 40), "teal").save(tmp_path / "next.png")
    page.locator("#edit-files input[type=file]").first.set_input_files(tmp_path / "next.png")
    expect(page.locator("#edit-status")).to_contain_text("80x40 pixels")
    expect(page.locator("#edit-stage img")).to_have_count(0)
    expect(page.locator("#edit-strip img")).to_have_count(0)
    expect(page.locator("#edit-emoji input")).to_have_value("any emoji")
    page.locator("#use-edited").click()
    expect(page.locator("#edit-status")).to_contain_text("there is no result yet")
    open_box(page, "outpaint-box")
    press(page, "outpaint")
    expect(page.locator("#edit-status")).to_contain_text("what fits the rest")


def test_a_new_picture_ends_the_edit_of_the_one_before(
    held_page: Page, engine: GatedEngine, picture: Path, tmp_path: Path
) -> None:
    page, before = held_page, engine.num_jobs("cancelled", "edit")
    open_editor(page, picture)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    Image.new("RGB", (80, 40), "teal").save(tmp_path / "next.png")
    with engine.gate.closed():
        page.locator("#redraw-mask").click()
        engine.gate.let(2)
        expect(page.locator("#edit-strip img")).to_have_count(2)
        with page.expect_request(lambda request: request.url.endswith("/cancel")):
            chosen = page.locator("#edit-files input[type=file]").first
            chosen.set_input_files(tmp_path / "next.png")
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled", "edit") > before)
    expect(page.locator("#edit-status")).to_contain_text("80x40 pixels")
    until(page, lambda: engine.queue.counts() == (0, 0))
    expect(page.locator("#edit-stage img")).to_have_count(0)


def test_a_drawn_picture_is_sent_to_be_edited(page: Page) -> None:
    draw(page)
    expected = pixels(picture_bytes(page))
    page.locator("#send-edit").click()
    expect(page.locator("#painter [data-part=picture]")).to_be_visible()
    shown = page.locator("#painter [data-part=picture]").get_attribute("src")
    assert np.array_equal(pixels(base64.b64decode(shown.split(",")[1])), expected)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    assert json.loads(window_of(page)) == {"left": 0, "top": 0, "side": 64}


def test_a_mask_is_loaded_and_a_picture_dropped(page: Page, picture: Path, tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[5:20, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    page.get_by_role("tab", name="Edit").click()
    content = list(picture.read_bytes())
    page.evaluate(
        """bytes => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], "x.png", { type: "image/png" }));
            const drop = new DragEvent("drop", { dataTransfer: files, bubbles: true });
            document.querySelector("#painter .board").dispatchEvent(drop);
        }""",
        content,
    )
    expect(page.locator("#edit-status")).to_contain_text("64x64 pixels")
    page.locator("#edit-files input[type=file]").nth(1).set_input_files(tmp_path / "mask.png")
    expect(page.locator("#painter .coverage")).to_have_text("7.3 % to redraw")
    assert np.array_equal(mask_of(page), mask > 0)


def test_what_cannot_be_edited_is_said_in_one_sentence(page: Page, picture: Path) -> None:
    page.get_by_role("tab", name="Edit").click()
    page.locator("#redraw-mask").click()
    expect(page.locator("#edit-status .notice")).to_contain_text("there is no picture yet")
    open_editor(page, picture)
    page.locator("#redraw-mask").click()
    expect(page.locator("#edit-status .notice")).to_contain_text(
        "the mask is empty: paint the area to change"
    )
    (picture.parent / "bad.png").write_bytes(b"no picture")
    page.locator("#edit-files input[type=file]").first.set_input_files(picture.parent / "bad.png")
    expect(page.locator("#edit-status .notice")).to_contain_text(
        "is not a readable PNG, JPEG or WebP picture"
    )
    stroke(page, (0.3, 0.5), (0.7, 0.5))  # the first picture is still there
    press(page, "redraw-mask")
