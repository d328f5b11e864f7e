"""What a newcomer meets: examples, one of which forms by itself on the first visit."""

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import (
    VIEWS,
    Gated,
    asked,
    choose,
    in_both_views,
    loading,
    open_context,
    open_page,
    picture_bytes,
    pixels,
    wait_done,
)
from tests.example_pictures import WISHES
from tests.gated_engine import GatedEngine
from var_core import VARPipeline, generators_from_seeds
from var_core.model_info import read_model_info
from var_core.official.catalogue import EMBEDDED_FOLDER

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("view", VIEWS)
def test_on_the_first_visit_an_example_forms_by_itself_once(
    browser: Browser, gated: Gated, engine: GatedEngine, view: str
) -> None:
    context = open_context(browser, view, is_first=True)
    with engine.gate.closed():
        page, wrong = open_page(context, gated.url)
        for number in (1, 2):
            engine.gate.let(1)
            expect(page.locator("#strip img")).to_have_count(number)
        choose(page, "thing", "owl")  # somebody types meanwhile
    expect(page.locator("#status")).to_contain_text("Now type your own wish")
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "drawn")
    assert asked(page) == ["owl"] and page.url.rstrip("/") == gated.url
    assert page.locator("#history [data-restore]").count() == 0  # it is nobody's drawing
    page.locator("#use").click()
    expect(page.locator("#inside [data-choice] img")).to_have_count(6)
    with loading(page):
        page.goto(gated.url)
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "empty")
    assert len(engine.steps) == engine.info.schedule.num_scales  # nothing else was drawn
    context.close()
    assert wrong == []


def test_an_address_that_names_a_picture_is_no_first_visit(browser: Browser, url: str) -> None:
    context = open_context(browser, is_first=True)
    page, wrong = open_page(context, f"{url}/?prompt=an+owl&seed=3")
    wait_done(page)
    expect(page.locator("#status")).to_contain_text("seed 3: an owl")
    context.close()
    assert wrong == []


@in_both_views
def test_a_click_on_an_example_draws_its_wish_and_seed(
    held_page: Page, scenes: VARPipeline
) -> None:
    page, examples = held_page, held_page.locator("#examples [data-example]")
    expect(examples).to_have_count(8)
    examples.nth(1).click()
    wait_done(page)
    assert asked(page) == ["strawberry", "yellow", "fluent-3d"]
    wish = {"class_labels": [{"style": "fluent-3d"}], "prompt": [WISHES[1]["prompt"]]}
    options = read_model_info(EMBEDDED_FOLDER).options
    (drawn,) = scenes.draw(**wish, options=options, generator=generators_from_seeds([2])).images
    assert np.array_equal(pixels(picture_bytes(page)), drawn)
    expect(page.locator("#history [data-restore]")).to_have_count(1)
    assert "strawberry" in page.url
