"""Drawing as a person does it, from the first click to the file."""

import base64

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import (
    Gated,
    chip,
    choose,
    choose_action,
    draw,
    in_both_views,
    in_both_views_if_slow,
    open_box,
    open_context,
    open_page,
    picture_bytes,
    pixels,
    set_count,
    set_number,
    strip_pictures,
    until,
    wait_done,
)
from tests.clients import num_cancelling
from tests.gated_engine import GatedEngine
from var_core import VARPipeline, generators_from_seeds
from var_core.images import tensor_to_uint8

SEEN = """node => {
  const box = node.getBoundingClientRect();
  const x = box.x + box.width / 2, y = box.y + box.height / 2;
  const inside = parent => !parent || (
    (getComputedStyle(parent).overflow === "visible" || parent.clientHeight >= box.height)
    && inside(parent.parentElement));
  return box.height > 8 && y > 0 && y < innerHeight && x < innerWidth && inside(node.parentElement);
}"""
# the list of what was drawn is built anew between the end of a drawing and the next one
BUILD_ANEW = """() => document.addEventListener("var-idle", () => Promise.resolve().then(
  () => document.querySelector("#history-search").dispatchEvent(new Event("input"))))"""
pytestmark = pytest.mark.browser

AS_DATA = """source => fetch(source).then(reply => reply.blob()).then(blob => new Promise(done => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.readAsDataURL(blob);
}))"""


def test_previews_arrive_in_order_and_a_seed_repeats(
    held_page: Page, engine: GatedEngine, scenes: VARPipeline
) -> None:
    page, total = held_page, scenes.transformer.schedule.num_scales
    choose(page, "thing", "owl")
    choose(page, "style", "noto")
    set_number(page, "seed", "7")
    previews = []
    with engine.gate.closed():
        page.locator("#generate").click()
        for number in range(1, total + 1):
            engine.gate.let(1)
            expect(page.locator("#strip img")).to_have_count(number)
            previews.append(page.locator("#strip img").last.get_attribute("src"))
    wait_done(page)
    assert len(set(previews)) == total
    first, shown = picture_bytes(page), strip_pictures(page)
    assert len({picture.tobytes() for picture in shown}) == len(shown) == total

    label = {"thing": "owl", "style": "noto"}
    result = scenes([label], generator=generators_from_seeds([7]))
    latents = scenes.tokenizer.quantizer.sum_scales(result.token_maps)
    decodes = tensor_to_uint8(scenes.decode_latent(torch.cat(latents)))
    assert np.array_equal(np.stack(shown), decodes)
    assert np.array_equal(pixels(first), shown[-1])

    draw(page)  # typing a seed has locked it
    assert picture_bytes(page) == first


def test_one_generation_is_one_post_and_one_stream_of_jpeg_previews(page: Page) -> None:
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    page.evaluate(
        """() => {
          window.shown = [];
          const image = document.querySelector("#stage .large img");
          const note = () => window.shown.push(image.getAttribute("src").slice(0, 30));
          const watched = { attributes: true, attributeFilter: ["src"] };
          new MutationObserver(note).observe(image, watched);
        }"""
    )
    page.locator("#generate").dblclick()  # a double click is one generation
    wait_done(page)
    *previews, last = page.evaluate("window.shown")
    assert len(previews) > 1 and all(one.startswith("data:image/") for one in previews)
    assert previews[0].startswith("data:image/jpeg")
    assert "/file=" in last

    open_box(page, "more")
    # its POST comes after all that the double click has caused
    page.locator("#preset").get_by_text("Wild", exact=True).click()
    expect(page.locator("#temperature input[type=number]")).to_have_value("1.3")
    posts = [one.url.rsplit("?")[0] for one in requests if one.method == "POST"]
    assert posts[0].endswith("/queue/join"), posts
    assert {url.rsplit("/", 1)[-1] for url in posts[1:]} == {"predict"}, posts  # of the preset
    streams = [request.url for request in requests if "/queue/data" in request.url]
    assert len(streams) == 1, streams
    expect(page.locator("#history [data-restore]")).to_have_count(1)


SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
  }).observe({ type: "layout-shift", buffered: false });
}"""


@in_both_views
@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.slow), 8])
def test_nothing_moves_while_previews_arrive(
    held_page: Page, engine: GatedEngine, count: int
) -> None:
    page, names = held_page, ("strip", "picture-actions", "tiles", "history", "count")
    where = f"""() => {list(names)}.map(name => {{
      const box = document.getElementById(name).getBoundingClientRect();
      return [name, Math.round(box.y + scrollY), Math.round(box.height)];
    }})"""
    set_count(page, count)
    with engine.gate.closed():
        page.locator("#generate").click()
        engine.gate.let(1)
        expect(page.locator("#strip img")).to_have_count(1)
        before = page.evaluate(where)
        page.evaluate(SHIFTS)
        for number in (2, 3, 6):
            engine.gate.let(number - page.locator("#strip img").count())
            expect(page.locator("#strip img")).to_have_count(number)
            assert page.evaluate(where)[:-2] == before[:-2]
    wait_done(page)
    assert page.evaluate(where)[:-2] == before[:-2]
    assert page.evaluate("window.shifted") < 0.02


def test_stop_ends_a_run_half_way_and_the_next_one_works(
    held_page: Page, engine: GatedEngine, gated: Gated
) -> None:
    page, before = held_page, engine.num_jobs("cancelled")
    with engine.gate.closed():
        page.locator("#generate").click()
        engine.gate.let(2)
        expect(page.locator("#strip img")).to_have_count(2)
        page.keyboard.press("Escape")
        until(page, lambda: num_cancelling(gated.blocks))
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled") > before)
    expect(page.locator("#status")).to_contain_text("Stopped")
    expect(page.locator("#strip")).to_have_attribute("aria-valuenow", "2")
    until(page, lambda: engine.queue.counts() == (0, 0))
    assert page.locator("#strip img").count() == 2
    assert len(engine.steps) <= 4  # within one scale of when the handler ended
    assert picture_bytes(page).startswith(b"\x89PNG")
    draw(page, "redraw")  # from where it was stopped
    assert len(strip_pictures(page)) > 2
    page.keyboard.press("Control+Enter")
    expect(page.locator("#history [data-restore]")).to_have_count(2)


@in_both_views
def test_a_stopped_run_frees_the_engine_for_the_next_visitor(
    held_page: Page, engine: GatedEngine, gated: Gated, browser: Browser
) -> None:
    page, context = held_page, open_context(browser)
    other, wrong = open_page(context, gated.url)
    with engine.gate.closed():
        page.locator("#generate").click()
        engine.gate.let(1)
        expect(page.locator("#strip img")).to_have_count(1)
        other.locator("#generate").click()
        expect(other.locator("#status")).to_contain_text("Waiting: 1 before you")
        place = other.locator("#status").get_by_text("Waiting: 1 before you")
        assert place.evaluate(SEEN), "the place in the queue is covered or out of view"
        assert other.locator("#strip img").count() == 0
        page.locator("#stop").click()
        until(page, lambda: num_cancelling(gated.blocks))
    expect(page.locator("#status")).to_contain_text("Stopped")
    wait_done(other)
    assert page.locator("#strip img").count() < other.locator("#strip img").count()
    context.close()
    assert wrong == []


@in_both_views_if_slow
def test_several_pictures_are_tiles_to_look_at_save_and_edit(page: Page) -> None:
    choose(page, "thing", "apple")
    set_number(page, "seed", "7")
    set_count(page, 4)
    draw(page)
    tiles = page.locator("#tiles figure")
    expect(tiles).to_have_count(4)
    first = picture_bytes(page)
    tiles.nth(2).locator("[data-look]").click()
    expect(tiles.nth(2).locator("[data-look]")).to_have_attribute("aria-pressed", "true")
    until(page, lambda: picture_bytes(page) != first)
    with page.expect_download() as download:
        choose_action(page, 2, "Save PNG")
    assert download.value.suggested_filename.endswith("-seed9.png")
    saved = download.value.path().read_bytes()
    assert np.array_equal(pixels(saved), pixels(picture_bytes(page)))
    assert np.array_equal(strip_pictures(page)[-1], pixels(saved))  # the scales of the same one
    with page.expect_download() as sheet:
        page.get_by_role("button", name="Save all as one sheet").click()
    assert pixels(sheet.value.path().read_bytes()).shape == (2 * 256 + 4, 2 * 256 + 4, 3)
    choose_action(page, 1, "Edit")
    shown = page.locator("#painter [data-part=picture]")
    expect(shown).to_be_visible()
    source = page.evaluate(AS_DATA, shown.get_attribute("src"))
    sent = pixels(base64.b64decode(source.split(",")[1]))
    page.get_by_role("tab", name="Draw").click()
    tiles.nth(1).locator("[data-look]").click()
    until(page, lambda: np.array_equal(pixels(picture_bytes(page)), sent))
    set_count(page, 1)
    draw(page)
    expect(tiles).to_have_count(0)  # nothing of the run before is left


def test_what_is_asked_while_a_picture_is_drawn_comes_after_it(
    held_page: Page, engine: GatedEngine
) -> None:
    page, entries = held_page, held_page.locator("#history [data-restore]")
    choose(page, "thing", "apple")
    open_box(page, "more")
    draw(page)
    first, seed = picture_bytes(page), page.locator("#seed input").input_value()
    choose(page, "thing", "lemon")
    with engine.gate.closed():
        page.locator("#generate").click()
        engine.gate.let(2)
        expect(page.locator("#strip img")).to_have_count(2)
        entries.last.click()  # restores the first picture
        expect(page.locator("#status")).to_contain_text("It waits until this drawing is done")
        page.evaluate(BUILD_ANEW)
        engine.gate.let(1)
        expect(page.locator("#strip img")).to_have_count(3)  # the drawing goes on
    expect(entries).to_have_count(2)
    expect(page.locator("#status")).to_contain_text(f"seed {seed}: an apple")
    wait_done(page)
    assert picture_bytes(page) == first
    expect(chip(page, "apple")).to_be_visible()
    entries.first.click()
    expect(page.locator("#status")).to_contain_text("an apple, a lemon")  # it was not dropped


def test_stop_leaves_nothing_of_the_run_before(
    held_page: Page, engine: GatedEngine, gated: Gated
) -> None:
    page, before = held_page, engine.num_jobs("cancelled")
    set_count(page, 4)
    draw(page)
    expect(page.locator("#tiles figure")).to_have_count(4)
    set_count(page, 1)
    with engine.gate.closed():
        page.locator("#generate").click()
        engine.gate.let(2)
        expect(page.locator("#strip img")).to_have_count(2)
        page.locator("#stop").click()
        until(page, lambda: num_cancelling(gated.blocks))
        engine.gate.let(1)  # the handler waits for this scale
        until(page, lambda: engine.num_jobs("cancelled") > before)
    expect(page.locator("#status")).to_contain_text("Stopped after scale 2 of 8")
    expect(page.locator("#tiles figure")).to_have_count(0)
    page.keyboard.press("Escape")  # where nothing runs
    expect(page.locator("#status")).to_contain_text("Stopped after scale 2 of 8")
