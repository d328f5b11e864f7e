"""The Tokenizer tab: what happens to pictures that are sent to it."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.draw_tab import DrawTab
from var_core.web.page import Page, Site
from var_core.web.tokenizer_tab import TokenizerTab


@pytest.fixture
def tab(engine: LocalEngine, tmp_path: Path) -> TokenizerTab:
    tabs = []

    def add_tabs(page: Page) -> None:
        tabs.append(TokenizerTab(page, DrawTab(page)))

    Site([engine], add_tabs, tmp_path, JobMetrics())
    return tabs[0]


def test_an_upload_loses_its_metadata(tab: TokenizerTab, tmp_path: Path) -> None:
    upload, info = tmp_path / "mine.png", PngInfo()
    info.add_text("Author", "somebody")
    Image.new("RGB", (40, 30), "teal").save(upload, pnginfo=info)
    updates = tab.analyse({tab.source: str(upload)})
    assert updates[tab.strip].count("<img") == 4 and updates[tab.scale] == 4
    with Image.open(upload) as kept:
        assert kept.info == {}


def test_what_is_no_picture_is_deleted(tab: TokenizerTab, tmp_path: Path) -> None:
    upload = tmp_path / "text.png"
    upload.write_text("no picture")
    with pytest.raises(ValueError, match="not a readable"):
        tab.analyse({tab.source: str(upload)})
    assert not upload.exists()


def test_without_a_picture_everything_is_empty(tab: TokenizerTab) -> None:
    updates = tab.analyse({tab.source: None})
    assert updates[tab.result] is None and "<img" not in updates[tab.strip]
    assert tab.look({tab.result: None, tab.scale: 1}) == {tab.frame: None, tab.error: None}
