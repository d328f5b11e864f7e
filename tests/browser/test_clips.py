"""Pictures of the stage set in motion, on a server with a tiny model of clips."""

import math
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import choose_action, draw, in_both_views, set_count, until
from tests.clients import served
from tests.clip_models import FRAMES, make_prompted_clips
from tests.conftest import make_labels, make_tokenizer, make_transformer
from tests.gated_engine import GatedEngine
from tests.web.conftest import tiny_engine
from var_core import VARPipeline
from var_core.animations import read_animation
from var_core.jobs.clip_files import read_clip_recipe
from var_core.serving.fair_queue import QueueLimits

pytestmark = pytest.mark.browser
PICTURE_SCALES = 4  # of the tiny model, before the scales of the motion


@pytest.fixture(scope="module")
def animator() -> GatedEngine:
    """The engine of clips, which a test can hold between two scales."""
    return GatedEngine(make_prompted_clips(), QueueLimits(seconds=math.inf))


@pytest.fixture(scope="module")
def url(animator: GatedEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = tiny_engine(VARPipeline(make_tokenizer(), make_transformer(), make_labels()))
    engine.animator = animator
    with served(engine, tmp_path_factory.mktemp("clips")) as address:
        yield address


def press(page: Page, button: Locator) -> None:
    """Press a button with what the visitor has: a finger or a mouse."""
    if page.evaluate("navigator.maxTouchPoints"):
        button.tap()
    else:
        button.click()


def open_panel(page: Page, place: int = 1) -> None:
    """Draw four pictures, and choose to animate one."""
    set_count(page, 4)
    draw(page)
    choose_action(page, place, "Animate")
    expect(page.locator("#clip .clip")).to_be_visible()
    expect(screen(page)).to_have_attribute("data-frames", "1")


def screen(page: Page) -> Locator:
    """The clip as it plays."""
    return page.get_by_role("img", name="The clip as it plays")


def button(page: Page, name: str) -> Locator:
    return page.locator("#clip").get_by_role("button", name=name)


@in_both_views
def test_a_clip_plays_while_it_forms_and_is_saved(page: Page, animator: GatedEngine) -> None:
    open_panel(page)
    words = page.get_by_label("Motion")
    expect(words).to_be_focused()
    words.fill("a fox, in the snow")
    with animator.gate.closed():
        press(page, button(page, "Animate"))
        expect(button(page, "Stop")).to_be_visible()
        animator.gate.let(PICTURE_SCALES + 1)
        expect(screen(page)).to_have_attribute("data-frames", str(FRAMES))
        seen = screen(page).get_attribute("data-frame") or ""
        expect(screen(page)).not_to_have_attribute("data-frame", seen)  # it plays already
        expect(page.locator("#clip-status")).to_contain_text(f"Scale {PICTURE_SCALES + 1} of 7")
    expect(page.locator("#clip-status")).to_contain_text("a clip of 1.6 s")
    with page.expect_download() as saved:
        press(page, page.get_by_role("link", name="Save as WebP"))
    content = saved.value.path().read_bytes()
    assert len(read_animation(content, 8)) == FRAMES
    assert read_clip_recipe(content)["prompt"] == ["a fox", "in the snow"]
    with page.expect_download() as saved:
        press(page, page.get_by_role("link", name="Save as GIF"))
    assert saved.value.path().read_bytes()[:4] == b"GIF8"
    page.get_by_label("Speed").select_option("fast")
    press(page, button(page, "Pause"))
    expect(button(page, "Play")).to_be_visible()
    page.get_by_label("End as it begins").check()
    press(page, button(page, "Animate"))
    expect(screen(page)).to_have_attribute("data-frames", str(FRAMES - 1))
    expect(screen(page)).to_have_attribute("data-frame", "1")  # and stays at its first one
    press(page, button(page, "Close"))
    expect(page.locator("#clip .clip")).to_be_hidden()


def test_a_clip_is_stopped_and_what_is_not_known_is_said(page: Page, animator: GatedEngine) -> None:
    open_panel(page, 0)
    words = page.get_by_label("Motion")
    words.fill("colourless green ideas")
    words.press("Enter")
    expect(page.locator("#clip-status .notice")).to_contain_text("text encoder fake")
    expect(button(page, "Animate")).to_be_visible()
    words.fill("")
    with animator.gate.closed():
        words.press("Enter")
        animator.gate.let(2)
        expect(page.locator("#clip-status")).to_contain_text("Scale 2 of 7")
        words.press("Escape")
        expect(page.locator("#clip-status")).to_contain_text("Stopped: the clip stays")
    until(page, animator.is_idle)
    expect(button(page, "Animate")).to_be_visible()
    words.press("Escape")
    expect(page.locator("#clip .clip")).to_be_hidden()
    page.locator("#move").click()  # what is large is animated without a tile too
    expect(page.locator("#clip .clip")).to_be_visible()
    draw(page)
    expect(page.locator("#clip .clip")).to_be_hidden()  # its picture is gone
