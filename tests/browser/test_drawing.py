"""Drawing as a person does it, from the first click to the file."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    choose,
    draw,
    open_box,
    open_page,
    picture_bytes,
    pixels,
    set_number,
    strip_pictures,
    wait_done,
)
from tests.conftest import EMBEDDED_MODEL
from tests.server import ROOT, START_SECONDS
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device, pick_dtype
from var_core.images import tensor_to_uint8

SEEN = """node => {
  const box = node.getBoundingClientRect();
  const x = box.x + box.width / 2, y = box.y + box.height / 2;
  const inside = parent => !parent || (
    (getComputedStyle(parent).overflow === "visible" || parent.clientHeight >= box.height)
    && inside(parent.parentElement));
  return box.height > 8 && y > 0 && y < innerHeight && x < innerWidth && inside(node.parentElement);
}"""
pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_previews_arrive_in_order_and_a_seed_repeats(page: Page) -> None:
    choose(page, "category", "animal-bird")
    choose(page, "style", "noto")
    set_number(page, "seed", "7")
    page.evaluate(
        """() => {
          window.seen = [];
          window.previews = new Set();
          const strip = document.querySelector('#strip');
          new MutationObserver(() => {
            const pictures = strip.querySelectorAll('img');
            if (window.seen.at(-1) !== pictures.length) window.seen.push(pictures.length);
            if (pictures.length) window.previews.add([...pictures].at(-1).src);
          }).observe(strip, {childList: true, subtree: true});
        }"""
    )
    draw(page)
    first, shown = picture_bytes(page), strip_pictures(page)
    total = len(shown)
    assert page.evaluate("window.seen.filter(count => count > 0)") == list(range(1, total + 1))
    assert page.evaluate("window.previews.size") >= total
    assert len({picture.tobytes() for picture in shown}) == total

    device = pick_device()
    pipeline = VARPipeline.from_pretrained(EMBEDDED_MODEL, torch_dtype=pick_dtype(device))
    assert total == pipeline.transformer.schedule.num_scales
    label = {"category": "animal-bird", "style": "noto"}
    result = pipeline([label], generator=generators_from_seeds([7]))
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    decodes = tensor_to_uint8(pipeline.decode_latent(torch.cat(latents)))
    assert np.array_equal(np.stack(shown), decodes)
    assert np.array_equal(pixels(first), shown[-1])

    draw(page)  # typing a seed has locked it
    assert picture_bytes(page) == first


def test_one_generation_is_one_post_and_one_stream_of_jpeg_previews(page: Page) -> None:
    page.wait_for_timeout(1500)  # opening the page has a request of its own
    requests, previews = [], []
    page.on("request", lambda request: requests.append(request))
    page.on(
        "response",
        lambda reply: (
            previews.append(reply.url.rsplit(".", 1)[-1])
            if "/file=" in reply.url and reply.request.resource_type == "image"
            else None
        ),
    )
    page.locator("#generate").dblclick()  # a double click is one generation
    wait_done(page)
    page.wait_for_timeout(1000)
    posts = [request.url for request in requests if request.method == "POST"]
    streams = [request.url for request in requests if "/queue/data" in request.url]
    assert len(posts) == 1 and posts[0].rsplit("?")[0].endswith("/queue/join"), posts
    assert len(streams) == 1, streams
    assert previews[-1] == "png" and set(previews[:-1]) == {"jpeg"}
    expect(page.locator("#history [data-restore]")).to_have_count(1)


def test_nothing_moves_while_previews_arrive(page: Page) -> None:
    names = ("stage", "strip", "scale", "generate")
    where = f"""() => {list(names)}.map(name => {{
      const box = document.getElementById(name).getBoundingClientRect();
      return [name, Math.round(box.y + scrollY), Math.round(box.height)];
    }})"""
    open_box(page, "more")
    set_number(page, "pause", "0.5")
    open_box(page, "more")
    before = page.evaluate(where)
    page.locator("#generate").click()
    for count in (1, 3, 6):
        expect(page.locator("#strip img")).to_have_count(count, timeout=20_000)
        assert page.evaluate(where) == before
    wait_done(page)
    assert page.evaluate(where) == before


def test_stop_ends_a_run_half_way_and_the_next_one_works(page: Page) -> None:
    open_box(page, "more")
    set_number(page, "pause", "1")
    page.locator("#generate").click()
    expect(page.locator("#strip img")).to_have_count(2, timeout=20_000)
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_contain_text("Stopped")
    page.wait_for_timeout(2500)
    drawn = page.locator("#strip img").count()
    assert 2 <= drawn <= 3
    scale = int(page.locator("#scale input[type=number]").input_value())
    assert 2 <= scale <= drawn
    assert picture_bytes(page).startswith(b"\x89PNG")
    before = strip_pictures(page)
    set_number(page, "pause", "0")
    draw(page, "redraw")  # from where it was stopped
    assert len(strip_pictures(page)) > len(before)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#history [data-restore]")).to_have_count(2, timeout=20_000)


def test_a_stopped_run_frees_the_engine_for_the_next_visitor(page: Page, browser, url: str) -> None:
    context = browser.new_context(locale="en-US")
    other, wrong = open_page(context, url)
    open_box(page, "more")
    set_number(page, "pause", "1")
    page.locator("#generate").click()
    expect(page.locator("#strip img")).to_have_count(1, timeout=20_000)
    other.locator("#generate").click()
    expect(other.locator("#status")).to_contain_text("Waiting: 1 before you", timeout=10_000)
    place = other.locator("#status").get_by_text("Waiting: 1 before you")
    assert place.evaluate(SEEN), "the place in the queue is covered or out of view"
    assert other.locator("#strip img").count() == 0
    page.locator("#stop").click()
    expect(page.locator("#status")).to_contain_text("Stopped")
    wait_done(other)
    assert page.locator("#strip img").count() < other.locator("#strip img").count()
    context.close()
    assert wrong == []


def test_several_pictures_come_as_a_sheet_and_as_files(page: Page) -> None:
    choose(page, "emoji", "red apple")
    set_number(page, "seed", "7")
    set_number(page, "count", "3")
    draw(page)
    expect(page.locator("#files a[href$='.png']")).to_have_count(3)
    assert pixels(picture_bytes(page)).shape == (64, 3 * 64 + 2 * 4, 3)
    draw(page, "styles")
    expect(page.locator("#files a[href$='red-apple-twemoji-seed7.png']")).to_have_count(1)
    height, width, _ = pixels(picture_bytes(page)).shape
    assert width == 4 * 128 + 3 * 4 and height > 2 * 128  # rows of four, words under each


def test_a_grid_of_guidance_and_seeds(page: Page) -> None:
    choose(page, "emoji", "red apple")
    open_box(page, "sweep-box")
    page.locator("#guidances textarea, #guidances input").fill("0, four")
    page.locator("#sweep").click()
    expect(page.get_by_test_id("toast-body").first).to_contain_text("write numbers with commas")
    page.locator("#guidances textarea, #guidances input").fill("0, 4")
    set_number(page, "num-seeds", "2")
    draw(page, "sweep")
    expect(page.locator("#files a[href$='.png']")).to_have_count(4)
    expect(page.locator("#files a[href*='guidance4']").first).to_be_attached()


def test_a_port_in_use_is_one_sentence(url: str) -> None:
    port = url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "app.py", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 4
    assert port in done.stderr and "Traceback" not in done.stderr
