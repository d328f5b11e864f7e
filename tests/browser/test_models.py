"""Two installed models: switching, and what is not installed."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import asked, choose, draw, loading, picture_bytes, pixels
from tests.official.parity_models import GOLDEN, load_case
from tests.official.test_convert import scaled, write_random
from tests.server import running_app
from var_core.official.convert import convert

pytestmark = pytest.mark.browser
SIDES = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that finds a narrow model of the official form among its installed ones."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = json.loads((GOLDEN / "tiny.keys.json").read_text())["tokenizer"]
    config = load_case("tiny").tokenizer.config
    shapes = scaled("tiny", "transformer", 2, 64, SIDES)
    shapes["word_embed.weight"] = [64, config.code_dim]
    shapes["head.weight"], shapes["head.bias"] = [config.vocab_size, 64], [config.vocab_size]
    write_random(folder / "transformer.pth", shapes)
    write_random(folder / "tokenizer.pth", tokenizer)
    installed = folder / "installed"
    convert(folder / "tokenizer.pth", folder / "transformer.pth", installed / "var-d16", SIDES)
    log = folder / "log.txt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAR_STUDIO_MODELS", str(installed))
        with running_app(log) as address:
            yield address
    assert "Traceback" not in log.read_text()


def test_models_are_switched_without_a_restart(page: Page) -> None:
    choose(page, "thing", "apple")
    page.get_by_role("button", name="scenes256", exact=True).click()
    expect(page.locator("#models")).to_contain_text("python -m var_core download var-d36")
    with loading(page):
        page.locator("#models").get_by_role("link", name="var-d16").click()
    page.wait_for_url("**/var-d16*")
    expect(page.locator("#wish input")).to_be_visible()
    expect(page.get_by_role("link", name="Home")).to_have_count(0)  # the header is enough
    assert asked(page) == []
    choose(page, "class", "man-eating", "great white shark")  # found by a synonym
    draw(page)
    expect(page.locator("#status")).to_contain_text("great white shark")
    assert page.locator("#strip [data-scale]").count() == len(SIDES)
    assert pixels(picture_bytes(page)).shape == (64, 64, 3)
    page.get_by_role("button", name="var-d16", exact=True).click()
    with loading(page):
        page.locator("#models").get_by_role("link", name="scenes256").click()
    choose(page, "thing", "owl")
    draw(page)
