"""Editing, in the place of the stage: by mouse and by finger, at both sizes."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import (
    FRAMES,
    Gated,
    asked,
    choose,
    draw,
    in_both_views,
    in_both_views_if_slow,
    open_box,
    picture_bytes,
    pixels,
    set_number,
    until,
)
from tests.clients import num_cancelling
from tests.gated_engine import GatedEngine
from var_core.editing import Window, window_around
from var_core.editing.masks import grow

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
    if page.locator("#edit-photo").is_visible():
        page.locator("#edit-photo").click()
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


def watch_posts(page: Page) -> list[str]:
    """A list that collects the addresses of all that is sent."""
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.url) if one.method == "POST" else None)
    return posts


def drag(page: Page, handle: Locator, x: float, y: float) -> None:
    """Drag a handle by so many pixels of the screen."""
    handle.hover()  # once it holds still
    box = handle.bounding_box()
    place = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] + x, place[1] + y, steps=5)
    page.mouse.up()
    page.evaluate(FRAMES)


def tool(page: Page, name: str) -> None:
    page.locator(f"#painter [data-part={name}]").click()


def shown_file(page: Page) -> str:
    """The address of the picture that is edited."""
    return page.locator("#painter [data-part=save]").get_attribute("href") or ""


def shown_pixels(page: Page) -> np.ndarray:
    """The picture that is edited, as it would be saved."""
    address = page.locator("#painter [data-part=save]").evaluate("link => link.href")
    with urllib.request.urlopen(address) as reply:
        return pixels(reply.read())


def finished(page: Page, before: str = "") -> np.ndarray:
    """Wait for a finished picture, another file than the one before; its pixels."""
    until(page, lambda: shown_file(page) not in ("", before))
    expect(page.locator("#edit-status")).to_contain_text("Done in ")
    return shown_pixels(page)


def press(page: Page, name: str) -> np.ndarray:
    """Press a button that draws; the finished picture."""
    before = shown_file(page)
    page.locator(f"#{name}").click()
    return finished(page, before)


def extra_tools(page: Page) -> None:
    """Show all tools, some of which a phone hides."""
    if page.locator("#painter [data-part=more]").is_visible():
        tool(page, "more")


def versions(page: Page) -> int:
    return page.locator("#painter [data-version]").count()


def go_back(page: Page, act: Callable[[], object]) -> None:
    """Do what shows another version, and wait for it."""
    before = shown_file(page)
    act()
    until(page, lambda: shown_file(page) != before)
    page.evaluate(FRAMES)


@in_both_views
def test_the_tools_paint_what_they_say(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    extra_tools(page)
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


@in_both_views
def test_the_lasso_fills_what_it_runs_around(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    tool(page, "lasso")
    stroke(page, (0.25, 0.25), (0.75, 0.25), (0.25, 0.75))  # and straight back
    found = mask_of(page)
    rows, columns = np.mgrid[:64, :64] + 0.5
    triangle = (rows > 17) & (columns > 17) & (rows + columns < 63)
    outside = (rows < 15) | (columns < 15) | (rows + columns > 65)
    assert found[triangle].all() and not found[outside].any()


def test_what_is_painted_grows_and_shrinks_at_once(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    posts = watch_posts(page)
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.5, 0.5))
    area = mask_of(page)
    tool(page, "grow")
    assert np.array_equal(mask_of(page), grow(area, 1))
    tool(page, "shrink")
    tool(page, "shrink")
    assert np.array_equal(mask_of(page), grow(area, -1))
    assert posts == []  # painting is nobody else's business


def test_the_arrow_keys_paint_too(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    page.locator("#painter [data-part=board]").focus()
    page.keyboard.press("Enter")
    assert mask_of(page)[32, 32]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Enter")
    dabs = mask_of(page)
    assert dabs[32, :30].any() and not dabs[:20].any()


def test_a_stroke_on_an_enlarged_picture_lands_where_the_brush_is(
    page: Page, picture: Path
) -> None:
    open_editor(page, picture)
    board = page.locator("#painter [data-part=board]").bounding_box()
    before = page.locator(BOARD).bounding_box()
    x, y = before["x"] + before["width"] * 0.25, before["y"] + before["height"] * 0.25
    page.mouse.move(x, y)
    for _ in range(4):
        page.mouse.wheel(0, -300)
    until(page, lambda: page.locator(BOARD).bounding_box()["width"] > 3 * before["width"])
    page.mouse.down()
    page.mouse.up()
    rows, columns = np.nonzero(mask_of(page))
    assert abs(rows.mean() - 15.5) < 1 and abs(columns.mean() - 15.5) < 1  # the place stayed
    ring = page.locator("#painter [data-part=ring]").bounding_box()
    assert abs(ring["x"] + ring["width"] / 2 - x) < 2 and ring["width"] > 60
    tool(page, "undo")
    page.locator(BOARD).evaluate("(_, id) => document.querySelector(id).focus()", "#painter .board")
    zoomed = page.locator(BOARD).bounding_box()
    page.keyboard.down(" ")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 30, steps=5)
    page.mouse.up()
    page.keyboard.up(" ")
    until(page, lambda: abs(page.locator(BOARD).bounding_box()["x"] - zoomed["x"] - 50) < 1)
    assert not mask_of(page).any()  # the picture was moved, not painted on
    page.mouse.move(x + 50, y + 30)
    page.mouse.down()
    page.mouse.up()
    rows, columns = np.nonzero(mask_of(page))
    assert abs(rows.mean() - 15.5) < 1 and abs(columns.mean() - 15.5) < 1
    page.keyboard.press("0")
    until(page, lambda: page.locator(BOARD).bounding_box()["width"] <= board["width"])


@pytest.mark.parametrize("visitor", ["phone"], indirect=True)
def test_two_fingers_enlarge_and_one_paints(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    box = page.locator(BOARD).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touches = [[(x - 20, y), None], [(x - 20, y), (x + 20, y)]]
    touches += [[(x - 20 - step, y), (x + 20 + step, y)] for step in range(5, 61, 5)]
    fingers = page.context.new_cdp_session(page)
    for place, pair in enumerate(touches):
        points = [{"x": one[0], "y": one[1], "id": n} for n, one in enumerate(pair) if one]
        kind = "touchStart" if place < 2 else "touchMove"
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    fingers.detach()
    until(page, lambda: page.locator(BOARD).bounding_box()["width"] > 3 * box["width"])
    assert not mask_of(page).any()  # the first finger had begun a stroke
    assert page.locator("#painter [data-part=undo]").is_disabled()
    page.touchscreen.tap(x, y)
    rows, columns = np.nonzero(mask_of(page))
    assert abs(rows.mean() - 31.5) < 1 and abs(columns.mean() - 31.5) < 1


@in_both_views
def test_nothing_lies_over_the_picture_or_its_tools(page: Page, picture: Path) -> None:
    open_editor(page, picture)
    covered = page.evaluate(
        """() => [...document.querySelectorAll("#painter .tools > button, #painter .board")]
          .filter(one => one.offsetParent).filter(one => {
            const box = one.getBoundingClientRect();
            const over = document.elementFromPoint(box.x + box.width / 3, box.y + box.height / 3);
            return !over || !one.contains(over);
          }).map(one => one.dataset.part)"""
    )
    box = page.locator(BOARD).bounding_box()
    width = page.viewport_size["width"]
    assert covered == [] and box["width"] > (0.8 if width < 500 else 0.3) * width
    assert box["y"] + box["height"] < page.viewport_size["height"]


@in_both_views
def test_the_grid_shows_the_window_that_the_model_sees(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (300, 200), "teal").save(path)
    open_editor(page, path)
    extra_tools(page)
    tool(page, "show")
    tool(page, "rectangle")
    stroke(page, (0.2, 0.2), (0.35, 0.5))
    mask = mask_of(page)
    assert Window(**json.loads(window_of(page))) == window_around(mask, (256, 256))
    cells = page.evaluate("document.querySelector('#painter [data-cells]').dataset.cells")
    assert 0 < int(cells) < 256


@in_both_views
def test_everything_that_edits_edits_in_place_and_sends_one_post(page: Page, picture: Path) -> None:
    source = np.asarray(Image.open(picture))
    open_editor(page, picture)
    posts = watch_posts(page)
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.75, 0.75))
    mask = mask_of(page)
    inner = press(page, "redraw-mask")
    assert len(posts) == 1 and "/queue/join" in posts[0]
    changed = (inner != source).any(axis=2)
    assert changed[mask].mean() > 0.9 and not changed[:13].any() and not changed[:, :13].any()
    expect(page.locator("#painter .coverage")).to_have_text("0 % to redraw")  # visibly cleared

    choose(page, "thing", "apple")
    assert asked(page) == ["apple"]
    open_box(page, "more")
    set_number(page, "seed", "3")
    stroke(page, (0.1, 0.1), (0.9, 0.9))
    as_apple = press(page, "redraw-mask")
    assert (as_apple != inner).any()
    assert np.array_equal(press(page, "try-again"), as_apple)  # the seed is kept
    page.locator("#keep-seed input").uncheck()
    assert (press(page, "try-again") != as_apple).any()
    assert press(page, "vary").shape == (256, 256, 3)  # of the model, whatever the picture has
    assert versions(page) == 6


@in_both_views_if_slow
def test_handles_at_the_edges_add_room(page: Page, picture: Path) -> None:
    source = np.asarray(Image.open(picture))
    open_editor(page, picture)
    right = page.locator("#painter .handle[data-side=right]")
    expect(page.locator("#painter [data-part=room]")).to_be_hidden()
    right.click()
    expect(page.locator("#painter [data-part=room]")).to_be_visible()
    expect(page.locator("#outpaint")).to_be_disabled()
    board = page.locator(BOARD).bounding_box()
    drag(page, right, board["width"] / 4, 0)
    expect(page.locator("#painter [data-part=total]")).to_have_text("80 \u00d7 64 pixels")
    frame = page.locator("#painter [data-part=frame]").bounding_box()
    assert abs(frame["width"] / frame["height"] - 80 / 64) < 0.05
    drag(page, right, -1000, 0)  # no more than none can be taken away
    expect(page.locator("#painter [data-part=total]")).to_have_text("64 \u00d7 64 pixels")
    page.locator("#side-left").fill("16")
    bottom = page.locator("#painter .handle[data-side=bottom]")
    bottom.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#side-bottom")).to_have_value("8")
    larger = press(page, "outpaint")
    assert larger.shape == (72, 80, 3)
    assert np.array_equal(larger[:60, 20:], source[:60, 4:])
    expect(page.locator("#painter [data-part=room]")).to_be_hidden()


@in_both_views
def test_the_picture_before_is_seen_while_a_button_or_key_is_held(
    page: Page, picture: Path
) -> None:
    open_editor(page, picture)
    compare, before = (
        page.locator(f"#painter [data-part={name}]") for name in ("compare", "before")
    )
    expect(compare).to_be_disabled()  # nothing was changed yet
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.75, 0.75))
    press(page, "redraw-mask")
    expect(before).to_be_hidden()
    compare.dispatch_event("pointerdown")
    expect(before).to_be_visible()
    compare.dispatch_event("pointerup")
    expect(before).to_be_hidden()
    page.keyboard.down("c")
    expect(before).to_be_visible()
    source = before.evaluate("image => image.decode().then(() => image.src)")
    with urllib.request.urlopen(source) as reply:
        assert np.array_equal(pixels(reply.read()), np.asarray(Image.open(picture)))
    page.keyboard.up("c")
    expect(before).to_be_hidden()


@in_both_views_if_slow
def test_whole_edits_are_undone_and_every_version_comes_back(page: Page, picture: Path) -> None:
    source = np.asarray(Image.open(picture))
    open_editor(page, picture)
    tool(page, "rectangle")
    stroke(page, (0.25, 0.25), (0.75, 0.75))
    first = mask_of(page)
    inner = press(page, "redraw-mask")
    stroke(page, (0.1, 0.1), (0.3, 0.3))
    second = mask_of(page)
    go_back(page, lambda: [tool(page, "undo"), tool(page, "undo")])  # the stroke, then the edit
    assert np.array_equal(shown_pixels(page), source)
    assert np.array_equal(mask_of(page), first)  # what was painted for it is back
    go_back(page, lambda: page.keyboard.press("Control+y"))
    assert np.array_equal(shown_pixels(page), inner)
    assert not mask_of(page).any()
    stroke(page, (0.1, 0.1), (0.3, 0.3))
    go_back(page, lambda: page.locator("#painter [data-version='0']").click())
    assert np.array_equal(shown_pixels(page), source)
    other = press(page, "redraw-mask")
    assert versions(page) == 3
    go_back(page, lambda: page.locator("#painter [data-version='1']").click())
    assert np.array_equal(shown_pixels(page), inner)
    assert np.array_equal(mask_of(page), second)  # also what was painted and not used yet
    assert (other != inner).any()


def test_strokes_during_an_edit_are_kept_for_the_next_one(
    held_page: Page, engine: GatedEngine, picture: Path
) -> None:
    page = held_page
    open_editor(page, picture)
    tool(page, "rectangle")
    stroke(page, (0.1, 0.1), (0.4, 0.4))
    box = page.locator(BOARD).bounding_box()
    begin, middle, end = (
        (box["x"] + box["width"] * share, box["y"] + box["height"] * share)
        for share in (0.6, 0.7, 0.9)
    )
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*middle)  # a box that is half drawn
    with engine.gate.closed():
        page.keyboard.press("Control+Enter")
        engine.gate.let(2)
        forming = page.locator("#painter [data-part=forming]")
        expect(forming).to_be_visible()  # in the place of the picture
        expect(page.locator("#painter .coverage")).to_have_text("0 % to redraw")
        page.mouse.move(*end)
        page.mouse.up()
        painted = mask_of(page)
    finished(page, shown_file(page))
    expect(forming).to_be_hidden()
    assert painted[40:55, 40:55].all() and not painted[:30].any()
    assert np.array_equal(mask_of(page), painted)


def stop_after_two_scales(page: Page, engine: GatedEngine, gated: Gated) -> None:
    """Redraw and press Stop, behind a closed gate; returns while the server is cancelling."""
    page.locator("#redraw-mask").click()
    engine.gate.let(2)
    expect(page.locator("#edit-status")).to_contain_text("Scale 2 of 8")
    page.keyboard.press("Escape")
    until(page, lambda: num_cancelling(gated.blocks))


@in_both_views_if_slow
def test_an_edit_stops_half_way_and_goes_again(
    held_page: Page, engine: GatedEngine, gated: Gated, picture: Path
) -> None:
    page = held_page
    open_editor(page, picture)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    painted = mask_of(page)
    before = engine.num_jobs("cancelled", "edit")
    with engine.gate.closed():
        stop_after_two_scales(page, engine, gated)
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled", "edit") > before)
    expect(page.locator("#edit-status")).to_contain_text("Stopped")
    until(page, lambda: engine.queue.counts() == (0, 0))
    expect(page.locator("#painter [data-part=forming]")).to_be_hidden()
    assert len(engine.steps) <= 4  # within one scale of when the handler ended
    assert np.array_equal(mask_of(page), painted)  # nothing is lost
    opened = shown_file(page)
    page.keyboard.press("Control+Enter")
    finished(page, opened)


def test_what_is_pressed_while_an_edit_stops_is_drawn_after_it(
    held_page: Page, engine: GatedEngine, gated: Gated, picture: Path
) -> None:
    page = held_page
    open_editor(page, picture)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    with engine.gate.closed():
        stop_after_two_scales(page, engine, gated)
        page.locator("#redraw-mask").click()
    finished(page)


@in_both_views_if_slow
def test_a_new_picture_starts_afresh_and_loses_no_version(
    page: Page, picture: Path, tmp_path: Path
) -> None:
    open_editor(page, picture)
    choose(page, "thing", "apple")
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    apple = press(page, "redraw-mask")
    expect(page.locator("#edit-status")).to_contain_text("an apple")
    Image.new("RGB", (80, 40), "teal").save(tmp_path / "next.png")
    page.locator("#edit-files input[type=file]").first.set_input_files(tmp_path / "next.png")
    expect(page.locator("#edit-status")).to_contain_text("80x40 pixels")
    assert asked(page) == []
    expect(page.locator("#painter [data-part=compare]")).to_be_disabled()
    expect(page.locator("#painter [data-part=undo]")).to_be_disabled()
    expect(page.locator("#try-again")).to_be_disabled()  # nothing was done yet
    page.locator("#painter .handle[data-side=right]").click()
    page.locator("#side-right").fill("8")
    assert press(page, "outpaint").shape == (40, 88, 3)
    expect(page.locator("#edit-status")).to_contain_text("what fits the rest")
    go_back(page, lambda: page.locator("#painter [data-version='1']").click())
    assert np.array_equal(shown_pixels(page), apple)


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
        expect(page.locator("#edit-status")).to_contain_text("Scale 2 of 8")
        with page.expect_request(lambda request: request.url.endswith("/cancel")):
            chosen = page.locator("#edit-files input[type=file]").first
            chosen.set_input_files(tmp_path / "next.png")
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled", "edit") > before)
    expect(page.locator("#edit-status")).to_contain_text("80x40 pixels")
    until(page, lambda: engine.queue.counts() == (0, 0))
    expect(page.locator("#painter [data-part=forming]")).to_be_hidden()
    assert versions(page) == 2 and shown_pixels(page).shape == (40, 80, 3)


def test_a_drawn_picture_is_sent_to_be_edited(page: Page) -> None:
    draw(page)
    expected = pixels(picture_bytes(page))
    page.locator("#send-edit").click()
    expect(page.locator("#painter [data-part=picture]")).to_be_visible()
    assert np.array_equal(shown_pixels(page), expected)
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    assert json.loads(window_of(page)) == {"left": 0, "top": 0, "width": 256, "height": 256}


def test_a_mask_is_loaded_and_a_picture_dropped(page: Page, picture: Path, tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[5:20, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    page.locator("#edit-photo").click()
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
    page.locator("#edit-photo").click()
    for name in ("redraw-mask", "try-again", "vary", "load-mask"):
        expect(page.locator(f"#{name}")).to_be_disabled()
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
