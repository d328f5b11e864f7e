"""A real browser on the really started app, and what a person does with it."""

import base64
import io
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

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
VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


@pytest.fixture(scope="package")
def browser() -> Iterator:
    if CHROMIUM is None:
        missing = "no chromium found (Debian: apt-get install chromium)"
        assert os.environ.get("REQUIRE_BROWSER") != "1", f"REQUIRE_BROWSER=1, but {missing}"
        pytest.skip(f"BROWSER TESTS ARE NOT RUN: {missing}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def open_page(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """A page that is ready, and the list that collects what must not happen on it."""
    page, wrong = context.new_page(), []
    site = "/".join(url.split("/")[:3])

    def watch(request) -> None:
        if not request.url.startswith((site, "data:", "blob:")):
            wrong.append(f"request to {request.url}")

    page.on("request", watch)
    page.on("pageerror", lambda error: wrong.append(f"script error {error}"))
    page.goto(url)
    page.locator("#generate").wait_for()
    return page, wrong


@pytest.fixture(scope="package", params=VIEWS)
def visitor(request: pytest.FixtureRequest, browser) -> Iterator[BrowserContext]:
    """One visitor per view; scripts of the page are fetched once."""
    context = browser.new_context(locale="en-US", **VIEWS[request.param])
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, visitor: BrowserContext, url: str) -> Iterator[Page]:
    """A fresh page, at the address that the test module's `QUERY` asks for."""
    page, wrong = open_page(visitor, url + getattr(request.module, "QUERY", ""))
    yield page
    page.close()
    assert wrong == []


def choose(page: Page, name: str, text: str, words: str | None = None) -> None:
    """Pick from a dropdown the way a person does: click, type, take the first hit."""
    box = page.locator(f"#{name} input")
    box.click()  # which selects what is there
    page.keyboard.type(text)
    option = page.get_by_role("option").first
    expect(option).to_contain_text(words or text)  # filtered a moment after the last key
    option.click()
    expect(box).to_have_value(re.compile(re.escape(words or text)))


def set_number(page: Page, name: str, value: str) -> None:
    box = page.locator(f"#{name} input[type=number]")
    box.fill(value)
    box.press("Tab")
    if name == "seed":  # which then is kept; a picture drawn before that would have another one
        expect(page.locator("#keep-seed input")).to_be_checked()


def open_box(page: Page, name: str) -> None:
    """Open or close an accordion; what is typed before its widgets are mounted would be lost."""
    page.locator(f"#{name} > button").click()
    page.wait_for_timeout(400)


def wait_done(page: Page) -> None:
    """Wait for the picture, and until the page's buttons do something again."""
    expect(page.locator("#status")).to_contain_text("Done in ", timeout=60_000)
    tracker = page.locator("#status [data-testid=status-tracker]")
    expect(tracker).to_have_class(re.compile(r"\bhide\b"))


def draw(page: Page, name: str = "generate") -> None:
    """Press a button that draws, and wait for the end of its run."""
    before = page.locator("#history [data-restore]").count()
    page.locator(f"#{name}").click()
    expect(page.locator("#history [data-restore]")).to_have_count(before + 1, timeout=60_000)
    wait_done(page)


def picture_bytes(page: Page, name: str = "stage") -> bytes:
    source = page.locator(f"#{name} img").get_attribute("src")
    with urllib.request.urlopen(source) as reply:
        return reply.read()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def strip_pictures(page: Page, name: str = "strip") -> list[np.ndarray]:
    """The pictures of a strip, once its sketches have become true decodes."""
    expect(page.locator(f"#{name} img[alt^=Sketch]")).to_have_count(0)
    sources = page.eval_on_selector_all(f"#{name} img", "nodes => nodes.map(node => node.src)")
    return [pixels(base64.b64decode(source.split(",")[1])) for source in sources]
