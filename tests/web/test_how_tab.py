"""The tab How it works: its pictures are those of the model that is shipped."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests import explaining
from tests.server import ROOT
from training.study import page
from var_core.model_info import read_model_info
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.web.assets import asset_path
from var_core.web.how_tab import PICTURES, how_html

MOST_BYTES = 60_000


def test_it_tells_of_the_embedded_model_in_real_pictures() -> None:
    info, html = read_model_info(EMBEDDED_FOLDER), how_html()
    sides = info.schedule.sides
    grids = re.findall("<span>(\\d+)\N{MULTIPLICATION SIGN}\\1</span>", html)
    assert grids == 2 * [str(side) for side in sides]
    assert f"{info.schedule.num_tokens} numbers out of {info.vocab_size:,}" in html
    with Image.open(asset_path("how/mask.webp")) as mask:
        assert mask.size[0] == mask.size[1] == info.schedule.num_tokens + info.max_phrases
    assert html.count("data:image/webp;base64,") == len(PICTURES) == html.count("<img")
    assert all(len(words) > 15 for words in re.findall(r'alt="([^"]*)"', html))
    assert "$" not in html


def test_its_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in asset_path("how").iterdir()) < MOST_BYTES


@pytest.mark.parametrize("path", sorted(set(re.findall(r"<code>(\S+)</code>", how_html()))))
def test_the_files_that_it_names_are_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_its_command_makes_the_pictures_anew(tmp_path: Path) -> None:
    explaining.main(["--out", str(tmp_path)])
    made = {path.name for path in tmp_path.iterdir()}
    written = {"how.html", page.LAWS_PICTURE, page.RIVALS_PICTURE, page.NUMBERS}
    assert made == {path.name for path in asset_path("how").iterdir()} - written
    told, shipped = (
        json.loads((folder / "how.json").read_text()) for folder in (tmp_path, asset_path("how"))
    )
    assert told == shipped
