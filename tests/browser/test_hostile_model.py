"""A model from a stranger, whose labels hold HTML: the page shows them, and runs nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import draw
from tests.clients import served
from tests.hostile_labels import FORMS, NAME, hostile_engine

pytestmark = pytest.mark.browser
SOUGHT = "[onerror], [onload], [onfocus], img[src*='127.0.0.1:9/'], img[src='x']"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the tiny model with hostile labels."""
    folder = tmp_path_factory.mktemp("hostile")
    with served(hostile_engine(folder / "model"), folder) as address:
        yield address


def test_labels_with_html_are_shown_as_they_are_and_run_nothing(page: Page, tmp_path: Path) -> None:
    expect(page.get_by_role("button", name=NAME, exact=True)).to_be_visible()
    options = page.locator("#emoji [role=option]")
    page.locator("#emoji input").click()
    expect(options).to_have_count(len(FORMS) + 1)
    for number, name in enumerate(FORMS):
        expect(options.nth(1 + number)).to_contain_text(name)
    page.keyboard.press("Escape")
    page.locator("#emoji input").fill(f"nothing of that kind {NAME}")
    page.locator("#emoji input").press("Tab")
    expect(page.locator("#emoji .note")).to_contain_text("Nothing here is called")
    for number, name in enumerate(FORMS):
        page.locator("#emoji input").click()
        options.nth(1 + number).click()
        expect(page.locator("#category input")).to_have_value(FORMS[number % 2])
        draw(page)
        expect(page.locator("#stage .words")).to_contain_text(name)
    draw(page, "styles")
    expect(page.locator("#tiles figcaption").first).to_have_text(FORMS[1])
    page.locator("#tiles [data-look]").nth(1).click()
    page.locator("#history [data-restore]").first.click()
    picture = tmp_path / "grey.png"
    Image.new("RGB", (32, 32), "grey").save(picture)
    page.get_by_role("tab", name="Edit").click()
    page.locator("#edit-files input[type=file]").first.set_input_files(picture)
    expect(page.locator("#edit-status")).to_contain_text("Paint the area to change")
    page.get_by_role("tab", name="Draw", exact=True).click()
    page.locator("#use").click()
    expect(page.locator("#report")).to_contain_text("judged as")
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("({}).harmed === undefined && [].name === undefined")
    found = page.eval_on_selector_all(SOUGHT, "nodes => nodes.map(node => node.outerHTML)")
    assert found == []
