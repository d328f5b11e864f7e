"""A model from a stranger, whose labels hold HTML: the page shows them, and runs nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import draw, open_box
from tests.clients import served
from tests.conftest import make_labels, make_tokenizer, make_transformer
from tests.hostile_labels import FORMS, hostile_engine
from var_core import VARPipeline

pytestmark = pytest.mark.browser
QUERY = "/?pause=0"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the tiny model with hostile labels."""
    folder = tmp_path_factory.mktemp("hostile")
    pipeline = VARPipeline(make_tokenizer(), make_transformer(), make_labels())
    with served(hostile_engine(pipeline, folder / "model"), folder) as address:
        yield address


def test_labels_with_html_are_shown_as_they_are_and_run_nothing(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator("h1 ~ p")).to_contain_text("<img src=x onerror=window.harmed=1>")
    page.locator("#emoji input").click()
    expect(page.get_by_role("option")).to_have_count(len(FORMS) + 1)
    for name in FORMS:
        expect(page.get_by_role("option").filter(has_text=name).first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#emoji input").fill("nothing of that kind <img src=x onerror=window.harmed=1>")
    page.locator("#emoji input").press("Tab")
    expect(page.locator("#emoji .note")).to_contain_text("Nothing here is called")
    for number in range(len(FORMS)):
        page.locator("#emoji input").click()
        page.get_by_role("option").nth(1 + number).click()
        draw(page)
        expect(page.locator("#status")).to_contain_text(FORMS[number])
    draw(page, "styles")
    expect(page.locator("#tiles figcaption").first).to_have_text(FORMS[1])
    page.locator("#tiles [data-look]").nth(1).click()
    open_box(page, "sweep-box")
    page.locator("#sweep").click()
    page.locator("#history [data-restore]").first.click()
    picture = tmp_path / "grey.png"
    Image.new("RGB", (32, 32), "grey").save(picture)
    page.get_by_role("tab", name="Edit").click()
    page.locator("#edit-files input[type=file]").first.set_input_files(picture)
    expect(page.locator("#edit-status")).to_contain_text("Paint the area to change")
    page.get_by_role("tab", name="Tokenizer").click()
    page.locator("#source input[type=file]").set_input_files(picture)
    expect(page.locator("#tokens figure").first).to_be_visible()
    assert page.evaluate("window.harmed") is None
    assert page.locator("[onerror], [onload], [onfocus], img[src*=leak], img[src='x']").count() == 0
    assert not [one for one in asked if "127.0.0.1:9/" in one]
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
