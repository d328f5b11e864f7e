"""The page as a person uses it: a real server, the shipped weights, a real browser."""

import base64
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import EMBEDDED_MODEL
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device, pick_dtype
from var_core.images import tensor_to_uint8

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120

if CHROMIUM is None and os.environ.get("REQUIRE_BROWSER") != "1":
    pytest.skip(
        "BROWSER TESTS ARE NOT RUN: no chromium found (Debian: apt-get install chromium)",
        allow_module_level=True,
    )
pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=file, stderr=file
        )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert server.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            time.sleep(0.3)
    yield address
    server.terminate()
    server.wait(20)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    assert CHROMIUM is not None, "REQUIRE_BROWSER=1, but there is no chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser, url: str) -> Iterator[Page]:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    options = phone if request.param == "phone" else {"viewport": {"width": 1280, "height": 800}}
    context = browser.new_context(locale="en-US", **options)
    page = context.new_page()
    strangers, errors = [], []
    page.on(
        "request",
        lambda r: strangers.append(r.url) if not r.url.startswith((url, "data:", "blob:")) else 0,
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.locator("#generate").wait_for()
    yield page
    context.close()
    assert strangers == []
    assert errors == []


def choose(page: Page, name: str, text: str) -> None:
    """Pick from a dropdown the way a person does: click, type, take the first hit."""
    box = page.locator(f"#{name} input")
    box.click()
    box.fill("")
    box.press_sequentially(text)
    option = page.get_by_role("option").first
    expect(option).to_contain_text(text)  # the list is filtered a moment after the last key
    option.click()
    expect(box).to_have_value(re.compile(re.escape(text)))


def set_number(page: Page, name: str, value: str) -> None:
    box = page.locator(f"#{name} input[type=number]")
    box.fill(value)
    box.press("Tab")


def wait_done(page: Page) -> None:
    expect(page.locator("#status textarea")).to_have_value(
        re.compile("^Done in "),
        timeout=60_000,
    )


def picture_bytes(page: Page) -> bytes:
    source = page.locator("#stage img").get_attribute("src")
    with urllib.request.urlopen(source) as reply:
        return reply.read()


def strip_pictures(page: Page) -> list[np.ndarray]:
    sources = page.eval_on_selector_all("#strip img", "nodes => nodes.map(node => node.src)")
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
        for source in sources
    ]


def test_previews_arrive_in_order_and_a_seed_repeats(page: Page) -> None:
    choose(page, "category", "animal-bird")
    choose(page, "style", "noto")
    set_number(page, "seed", "7")
    page.evaluate(
        """() => {
          window.seen = [];
          const strip = document.querySelector('#strip');
          new MutationObserver(() => {
            const count = strip.querySelectorAll('img').length;
            if (window.seen.at(-1) !== count) window.seen.push(count);
          }).observe(strip, {childList: true, subtree: true});
        }"""
    )
    page.locator("#generate").click()
    wait_done(page)
    first, shown = picture_bytes(page), strip_pictures(page)
    total = len(shown)
    assert page.evaluate("window.seen.filter(count => count > 0)") == list(range(1, total + 1))
    assert len({picture.tobytes() for picture in shown}) == total

    device = pick_device()
    pipeline = VARPipeline.from_pretrained(EMBEDDED_MODEL, torch_dtype=pick_dtype(device))
    assert total == pipeline.transformer.schedule.num_scales
    label = {"category": "animal-bird", "style": "noto"}
    result = pipeline([label], generator=generators_from_seeds([7]))
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    decodes = tensor_to_uint8(pipeline.decode_latent(torch.cat(latents)))
    assert np.array_equal(np.stack(shown), decodes)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(first))), shown[-1])

    page.locator("#generate").click()
    expect(page.locator("#strip img")).to_have_count(1, timeout=20_000)
    wait_done(page)
    assert picture_bytes(page) == first


def test_stop_ends_a_run_half_way_and_the_next_one_works(page: Page) -> None:
    page.get_by_text("More options").click()
    set_number(page, "pause", "1")
    page.locator("#generate").click()
    expect(page.locator("#strip img")).to_have_count(2, timeout=20_000)
    page.locator("#stop").click()
    expect(page.locator("#status textarea")).to_have_value("Stopped")
    page.wait_for_timeout(2500)
    count = page.locator("#strip img").count()
    assert 2 <= count <= 3
    set_number(page, "pause", "0")
    page.locator("#generate").click()
    wait_done(page)


def test_an_emoji_fills_in_its_category(page: Page) -> None:
    choose(page, "emoji", "red apple")
    expect(page.locator("#category input")).to_have_value("food-fruit")
    choose(page, "category", "animal-bird")
    expect(page.locator("#emoji input")).to_have_value("any emoji")


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


def test_several_pictures_come_as_a_sheet_and_as_files(page: Page) -> None:
    choose(page, "emoji", "red apple")
    page.locator("#styles").click()
    wait_done(page)
    expect(page.locator("#files a[href$='red-apple-twemoji-seed7.png']")).to_have_count(1)
    picture = Image.open(io.BytesIO(picture_bytes(page)))
    assert picture.size == (4 * 64 + 3 * 4, 2 * 64 + 4)  # seven pictures in rows of four


def test_the_scrubber_shows_a_scale_and_redraws_from_it(page: Page) -> None:
    choose(page, "emoji", "red apple")
    page.locator("#generate").click()
    wait_done(page)
    before = strip_pictures(page)
    first = picture_bytes(page)
    source = page.locator("#stage img").get_attribute("src")
    set_number(page, "scale", "3")
    expect(page.locator("#stage img")).not_to_have_attribute("src", source)
    shown = np.asarray(Image.open(io.BytesIO(picture_bytes(page))).convert("RGB"))
    assert np.array_equal(shown, before[2])
    choose(page, "style", "twemoji")
    page.locator("#redraw").click()
    expect(page.locator("#strip img")).to_have_count(1, timeout=20_000)
    wait_done(page)
    after = strip_pictures(page)
    assert [np.array_equal(old, new) for old, new in zip(before, after, strict=True)][:3] == [
        True
    ] * 3
    assert picture_bytes(page) != first


def test_a_link_and_a_png_restore_the_settings(page: Page, url: str, tmp_path: Path) -> None:
    page.goto(f"{url}/?emoji=red+apple&style=twemoji&seed=12&top_p=0.5")
    expect(page.locator("#category input")).to_have_value("food-fruit")
    expect(page.locator("#seed input")).to_have_value("12")
    page.keyboard.press("Control+Enter")
    wait_done(page)
    first = picture_bytes(page)
    (tmp_path / "mine.png").write_bytes(first)
    page.goto(url)
    expect(page.locator("#seed input")).to_have_value("7")
    with page.expect_file_chooser() as chooser:
        page.locator("#drop").click()
    chooser.value.set_files(tmp_path / "mine.png")
    expect(page.locator("#seed input")).to_have_value("12")
    expect(page.locator("#style input")).to_have_value("twemoji")
    page.locator("#link").click()
    page.wait_for_url(re.compile("seed=12"))
    assert "top_p=0.5" in page.url and "emoji=red+apple" in page.url
    page.locator("#generate").click()
    wait_done(page)
    assert picture_bytes(page) == first
