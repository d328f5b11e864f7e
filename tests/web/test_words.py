"""The page in other languages: what the tables hold."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import app
from var_core.editing import Margins, check_mask
from var_core.images import VISITORS, read_image
from var_core.jobs.mask_codec import resize_mask
from var_core.jobs.png_recipe import read_png_recipe
from var_core.locations import assets_folder
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.assets import read_asset
from var_core.web.edit_versions import Versions
from var_core.web.how_tab import how_html
from var_core.web.page import Site
from var_core.web.words import LANGUAGES, read_words

TEMPLATES = (
    "stage.html",
    "lightbox.html",
    "history.html",
    "wish.html",
    "painter/painter.html",
    "inside.html",
    "sheet.html",
    "clip.html",
)
SPOKEN = ("title", "aria-label", "placeholder", "alt")
SHOWN = ("label", "info", "placeholder")  # properties of a widget


class Words(HTMLParser):
    """Collects what a template says to people."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_data(self, data: str) -> None:
        self.found.append(" ".join(data.split()))


def spoken(html: str) -> Iterator[str]:
    """The texts of a template that are words."""
    words = Words()
    words.feed(html)
    return (one for one in words.found if re.search("[a-z]{3}", one))


def is_known(text: str) -> bool:
    """Whether a table translates a text."""
    parts = ([re.escape(part) for part in re.split(r"\{\d\}", key)] for key in read_words("de"))
    return any(re.fullmatch("(.+?)".join(one), text, re.DOTALL) for one in parts)


def test_every_language_has_every_sentence_with_its_places() -> None:
    tables = [read_words(language) for language in LANGUAGES]
    assert all(table.keys() == tables[0].keys() for table in tables)
    for table in tables:
        for english, other in table.items():
            places = [Counter(re.findall(r"\{\d\}", text)) for text in (english, other)]
            assert other.strip() and places[0] == places[1], (english, other)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_word_of_a_template_has_a_translation(name: str) -> None:
    assert [one for one in spoken(read_asset(name)) if not is_known(one)] == []


def test_every_word_of_how_it_works_has_a_translation() -> None:
    html = re.sub("<code>.*?</code>", "<code></code>", how_html())
    assert [one for one in spoken(html) if not is_known(one)] == []


def test_every_word_of_a_widget_has_a_translation(engine: LocalEngine, tmp_path: Path) -> None:
    site = Site([engine], app.add_tabs, tmp_path, JobMetrics())
    missing = set()
    for component in site.blocks.get_config_file()["components"]:
        props = component["props"]
        if component["type"] == "html":
            continue
        names = [*SHOWN, "value"] if component["type"].endswith("button") else SHOWN
        texts = [props.get(name) for name in names if props.get("elem_id")]
        missing |= {one for one in texts if isinstance(one, str) and one and not is_known(one)}
    assert missing == set()


def said(act: Callable[[], object]) -> str:
    """The words of what somebody may not do."""
    with pytest.raises(ValueError) as caught:
        act()
    return str(caught.value)


def test_what_stops_visitors_most_often_has_a_translation(tmp_path: Path) -> None:
    now = 0.0
    queue = FairQueue(QueueLimits(waiting=1, per_client=1, seconds=1), clock=lambda: now)
    turn, _ = queue.join("first"), queue.join("second")
    bad, black = tmp_path / "bad.png", tmp_path / "black.png"
    bad.write_text("no picture")
    Image.new("L", (8, 8)).save(black)
    refused = [
        said(lambda: queue.join("first")),
        said(lambda: queue.join("third")),
        said(lambda: read_image(bad)),
        said(lambda: read_png_recipe(bad)),
        said(lambda: VISITORS.check_bytes("mine.png", 1_000_000_000)),
        said(lambda: VISITORS.check_size("mine.png", 100_000, 2)),
        said(lambda: check_mask(Image.open(black), (8, 8))),
        said(lambda: resize_mask(np.ones((4, 8), bool), (8, 8))),
        said(lambda: Margins(left=8000).canvas(4000, 64, (64, 64))),
        said(lambda: Versions().here),
    ]
    now = 2.0
    refused.append(said(lambda: queue.check(turn)))
    queue.close()
    refused.append(said(lambda: queue.join("fourth")))
    assert [one for one in refused if not is_known(one)] == []


def test_every_sentence_is_one_that_the_page_says() -> None:
    folders = (assets_folder(), Path(app.__file__).parent / "var_core")
    paths = [path for folder in folders for path in folder.rglob("*.*")]
    told = [path for path in paths if path.suffix in (".py", ".js", ".html")]
    told += [path for path in paths if path.name == "labels.json"]  # names that models bring
    said = [path.read_text() for path in told]
    words = set(re.findall(r"\w+", "".join(said).lower()))
    for key in read_words("de"):
        assert set(re.findall(r"\w+", re.sub(r"\{\d\}", " ", key.lower()))) <= words, key
