"""A real browser on the really started app, and what a person does with it."""

import base64
import contextlib
import io
import math
import os
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests import patience
from tests.clients import serving
from tests.gated_engine import GatedEngine
from var_core import VARPipeline
from var_core.serving.fair_queue import QueueLimits

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
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
OTHER_VIEWS = {  # tested by their widths, and looked at
    "wide": {"viewport": {"width": 2560, "height": 1440}, "device_scale_factor": 1},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},  # 200 %
}


PATIENCE = 1000 * patience.LIMIT_SECONDS  # milliseconds
in_both_views = pytest.mark.parametrize("visitor", VIEWS, indirect=True)
in_both_views_if_slow = pytest.mark.parametrize(  # where much is drawn
    "visitor", ["phone", pytest.param("desktop", marks=pytest.mark.slow)], indirect=True
)
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
OPENED = """name => {
  const { components, layout } = window.gradio_config;
  const props = new Map(components.map(one => [one.id, one.props]));
  const find = node => props.get(node.id)?.elem_id === name ? node
    : (node.children ?? []).map(find).find(Boolean);
  const leaves = node => node.children?.length ? node.children.flatMap(leaves) : [node.id];
  return leaves(find(layout)).every(id => {
    const { elem_id, visible } = props.get(id);
    return !elem_id || visible === false || document.getElementById(elem_id);
  });
}"""  # whether every widget of a box is on the page

FORGET = """() => new Promise(done => {
  const gone = indexedDB.deleteDatabase("var-studio");
  for (const end of ["success", "error", "blocked"]) gone.addEventListener(end, () => done());
})"""  # what was drawn so far


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium; what is waited for may take as long as it needs on a busy machine."""
    if CHROMIUM is None:
        missing = "no chromium found (Debian: apt-get install chromium-headless-shell)"
        assert os.environ.get("REQUIRE_BROWSER") != "1", f"REQUIRE_BROWSER=1, but {missing}"
        pytest.skip(f"BROWSER TESTS ARE NOT RUN: {missing}")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_FLAGS, timeout=PATIENCE
        )
        yield browser
        browser.close()


KNOWN = "try { localStorage.setItem('var-studio-visited', 'yes') } catch {}"


def open_context(
    browser: Browser, view: str = "desktop", is_first: bool = False, **options: object
) -> BrowserContext:
    """A visitor with an own clipboard, at the size of a view.

    Args:
        browser: the browser.
        view: name of a view.
        is_first: whether nobody has been here before; else nothing is drawn unasked.
        options: further options of the browser.
    """
    context = browser.new_context(
        **{"locale": "en-US", **{**VIEWS, **OTHER_VIEWS}[view], **options}
    )
    if not is_first:
        context.add_init_script(KNOWN)
    context.set_default_timeout(PATIENCE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


def until(page: Page, what: Callable[[], object]) -> None:
    """Wait for a state of the page or of what its requests have brought.

    Raises:
        TimeoutError: if it never comes.
    """
    patience.until(what, lambda seconds: page.wait_for_timeout(1000 * seconds))  # its events arrive


@contextlib.contextmanager
def loading(page: Page) -> Iterator[None]:
    """Open an address; at the end the page shows what its address asks for."""
    ended: list[str] = []

    def note(request: Request) -> None:
        if "/queue/data" in request.url:  # the answers to what the page asks when it opens
            ended.append(request.url)

    events = ("requestfinished", "requestfailed")
    for event in events:
        page.on(event, note)
    yield
    until(page, lambda: ended)
    for event in events:
        page.remove_listener(event, note)
    page.locator("#generate").wait_for(state="attached")  # Stop is in its place where one draws
    page.evaluate(FRAMES)


def open_page(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """A page that is ready, and the list that collects what must not happen on it."""
    page, wrong = context.new_page(), []
    site = "/".join(url.split("/")[:3])

    def watch(request: Request) -> None:
        if not request.url.startswith((site, "data:", "blob:")):
            wrong.append(f"request to {request.url}")

    page.on("request", watch)
    page.on("pageerror", lambda error: wrong.append(f"script error {error}"))
    with loading(page):
        page.goto(url)
    return page, wrong


@pytest.fixture(scope="package")
def visitor(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """One visitor for each view, at a desktop by default; scripts of the page are fetched once."""
    context = open_context(browser, getattr(request, "param", "desktop"))
    yield context
    context.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, visitor: BrowserContext, url: str) -> Iterator[Page]:
    """A fresh page, at the address that the test module's `QUERY` asks for."""
    page, wrong = open_page(visitor, url + getattr(request.module, "QUERY", ""))
    yield page
    page.evaluate(FORGET)
    page.close()
    assert wrong == []


@dataclass(frozen=True)
class Gated:
    """The app in this process.

    Attributes:
        url: address of its page.
        blocks: blocks of its page.
        engine: engine that a test can hold between two scales.
    """

    url: str
    blocks: gr.Blocks
    engine: GatedEngine


@pytest.fixture(scope="package")
def gated(scenes: VARPipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    """The app around an engine that can be held."""
    engine = GatedEngine(scenes, QueueLimits(seconds=math.inf, sharpen_seconds=math.inf))
    with serving(engine, tmp_path_factory.mktemp("gated")) as (url, blocks):
        yield Gated(url, blocks, engine)


@pytest.fixture
def engine(gated: Gated) -> GatedEngine:
    """The engine of `held_page`, open and without memories."""
    gated.engine.steps.clear()
    return gated.engine


@pytest.fixture
def held_page(visitor: BrowserContext, gated: Gated) -> Iterator[Page]:
    """A fresh page of the app whose engine a test can hold."""
    page, wrong = open_page(visitor, gated.url)
    yield page
    page.evaluate(FORGET)
    page.close()
    assert wrong == []


def ask_for(page: Page, text: str, words: str | None = None) -> None:
    """Type into the box for words, and take the first suggestion; it becomes a chip."""
    page.locator("#wish input").click()
    page.keyboard.type(text)
    option = page.locator("#wish [role=option]").first
    expect(option).to_contain_text(words or text)
    option.click()
    expect(chip(page, words or text)).to_be_visible()


def chip(page: Page, name: str) -> Locator:
    """What stands in the box for words."""
    return page.locator("#wish").get_by_role("button", name=f"Remove {name}").first


def asked(page: Page) -> list[str]:
    """Names of all chips in the box for words."""
    return page.locator("#wish .chip span[dir]").all_inner_texts()


def choose(page: Page, name: str, text: str, words: str | None = None) -> None:
    """Pick from a dropdown the way a person does: click, type, take the first hit."""
    if not page.locator(f"#{name}").count():  # a label: it stands in the box for words
        return ask_for(page, text, words)
    box = page.locator(f"#{name} input")
    box.click()  # which selects what is there
    page.keyboard.type(text)
    option = page.get_by_role("option").first
    expect(option).to_contain_text(words or text)  # filtered a moment after the last key
    option.click()
    expect(page.get_by_test_id("dropdown-option")).to_have_count(0)  # a list fades before the next
    expect(box).to_have_value(re.compile(re.escape(words or text)))


def set_count(page: Page, count: int) -> None:
    """Choose the number of pictures."""
    page.locator(f"#count input[value='{count}']").check()


def set_number(page: Page, name: str, value: str) -> None:
    if name == "seed" and not page.locator("#seed").count():
        open_box(page, "more")
    box = page.locator(f"#{name} input[type=number]")
    box.fill(value)
    box.press("Tab")
    if name == "seed":  # which then is kept; a picture drawn before that would have another one
        expect(page.locator("#keep-seed input")).to_be_checked()


def open_box(page: Page, name: str) -> None:
    """Open an accordion; what is typed before all its widgets are there would be lost."""
    page.locator(f"#{name} > button").click()
    page.wait_for_function(OPENED, arg=name)
    page.evaluate(FRAMES)


def wait_done(page: Page) -> None:
    """Wait for the picture, and until the page's buttons do something again."""
    expect(page.locator("#status")).to_contain_text("Done in ")
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "drawn")
    tracker = page.locator("#status [data-testid=status-tracker]")
    expect(tracker).to_have_class(re.compile(r"\bhide\b"))


def draw(page: Page, name: str = "generate") -> None:
    """Press a button that draws, and wait for the end of its run."""
    stage = page.locator("#stage .stage")
    before = stage.get_attribute("data-run") or ""
    page.locator(f"#{name}").click()
    expect(stage).not_to_have_attribute("data-run", before)
    wait_done(page)


def picture_bytes(page: Page, name: str = "stage") -> bytes:
    """The file of a picture; of the stage, the large one."""
    where = "#stage .large img" if name == "stage" else f"#{name} img"
    source = page.locator(where).evaluate("image => image.src")
    with urllib.request.urlopen(source) as reply:
        return reply.read()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def strip_pictures(page: Page, name: str = "strip") -> list[np.ndarray]:
    """The pictures of a strip, once its sketches have become true decodes."""
    expect(page.locator(f"#{name} img[alt^=Sketch]")).to_have_count(0)
    sources = page.eval_on_selector_all(f"#{name} img", "nodes => nodes.map(node => node.src)")
    return [pixels(base64.b64decode(source.split(",")[1])) for source in sources]


def look_at_scale(page: Page, scale: int) -> None:
    """Move the slider of the scales to a scale by keyboard."""
    strip = page.locator("#strip")
    strip.focus()
    strip.press("Home")
    for _ in range(scale - 1):
        strip.press("ArrowRight")
    expect(strip).to_have_attribute("aria-valuenow", str(scale))


def choose_action(page: Page, place: int, name: str) -> None:
    """Choose from the menu of a tile."""
    tile = page.locator("#tiles figure").nth(place)
    tile.hover()
    tile.locator("[data-more]").click()
    page.get_by_role("menuitem", name=name).click()
