"""A model from a stranger, whose labels hold HTML: the page shows them, and runs nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import draw, set_count, wait_done
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
    box, options = page.locator("#wish input"), page.locator("#wish [role=option]")
    box.fill(f"nothing of that kind {NAME}")
    box.press("Tab")
    expect(page.locator("#wish .note")).to_contain_text("is not known")
    for name in FORMS:
        box.fill("img")
        emoji = options.filter(has=page.locator("small", has_text="emoji"))
        expect(emoji).to_have_count(len(FORMS))
        names = emoji.locator("span[dir]").all_text_contents()
        emoji.nth(names.index(name)).click()
        expect(page.locator("#wish .chip span[dir]")).to_have_text([name])
        draw(page)
        expect(page.locator("#stage .words")).to_contain_text(name)
    page.get_by_role("button", name="Choose").click()
    expect(page.locator("#wish-panel .tile").first).to_be_visible()
    page.keyboard.press("Escape")
    set_count(page, 4)
    draw(page)
    expect(page.locator("#stage .words")).to_contain_text(FORMS[-1])
    page.locator("#tiles [data-look]").nth(1).click()
    stage = page.locator("#stage .stage")
    before = stage.get_attribute("data-run") or ""
    page.locator("#history [data-restore]").first.click()
    expect(stage).not_to_have_attribute("data-run", before)  # which opens the tab of drawing
    wait_done(page)
    picture = tmp_path / "grey.png"
    Image.new("RGB", (32, 32), "grey").save(picture)
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-draw").click()
    expect(page.locator("#compare-status")).to_contain_text("Done in ")
    expect(page.get_by_role("figure", name=FORMS[2]).first).to_be_visible()
    page.locator("#edit-photo").click()
    page.locator("#edit-files input[type=file]").first.set_input_files(picture)
    expect(page.locator("#edit-status")).to_contain_text("Paint the area to change")
    page.locator("#edit-done").click()
    page.locator("#use").click()
    expect(page.locator("#report")).to_contain_text("judged as")
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("({}).harmed === undefined && [].name === undefined")
    found = page.eval_on_selector_all(SOUGHT, "nodes => nodes.map(node => node.outerHTML)")
    assert found == []
