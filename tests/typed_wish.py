"""Films the page for the README: a wish is typed, and its picture forms.

Run: python -m tests.typed_wish --out assets/screenshots/typed.webp

Real server, shipped weights, Debian's chromium; the words below and seed 7, first try. The engine
is held after every scale until the page has shown it.
"""

import argparse
import io
import math
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, CHROMIUM_FLAGS, KNOWN, PATIENCE, open_page, wait_done
from tests.clients import serving
from tests.gated_engine import GatedEngine
from tests.screenshots import keep_seed
from var_core import VARPipeline
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.fair_queue import QueueLimits

WISH = ("fox", "snow", "noto")  # typed key by key; the first suggestion is taken
VIEWPORT = {"width": 960, "height": 720}
KEY, TAKEN, SCALE, LAST = 160, 700, 420, 3000  # milliseconds a frame is shown


class Film:
    """Frames of a page, and how long each is shown.

    Attributes:
        page: the page.
        frames: pictures of it.
        durations: milliseconds of each.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.durations: list[int] = []

    def take(self, milliseconds: int) -> None:
        """Add the page as it looks now."""
        self.page.wait_for_timeout(250)  # what moves on the page has come to rest
        content = self.page.screenshot(animations="disabled", caret="initial")
        self.frames.append(Image.open(io.BytesIO(content)).convert("RGB"))
        self.durations.append(milliseconds)

    def save(self, path: Path) -> None:
        """Write an endless WebP animation."""
        first, *rest = self.frames
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=self.durations,
            loop=0,
            quality=80,
            method=4,
        )


def type_wish(film: Film) -> None:
    """Type every part of the wish and take what is suggested."""
    page = film.page
    film.take(TAKEN)
    page.locator("#wish input").click()
    for words in WISH:
        for key in words:
            page.keyboard.type(key)
            expect(page.locator("#wish [role=option]").first).to_be_visible()
            film.take(KEY)
        page.locator("#wish [role=option]").first.click()
        expect(page.locator("#wish [role=listbox]")).to_be_hidden()
        film.take(TAKEN)


def form(film: Film, engine: GatedEngine) -> None:
    """Draw, and take every scale."""
    page = film.page
    with engine.gate.closed():
        page.locator("#generate").click()
        for number in range(1, engine.info.schedule.num_scales + 1):
            engine.gate.let(1)
            expect(page.locator("#strip img")).to_have_count(number)
            film.take(SCALE)
    wait_done(page)
    page.mouse.move(0, 0)
    film.take(LAST)


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="WebP file")
    out = parser.parse_args().out
    limits = QueueLimits(seconds=math.inf, sharpen_seconds=math.inf)
    engine = GatedEngine(VARPipeline.from_pretrained(EMBEDDED_FOLDER), limits)
    expect.set_options(timeout=PATIENCE)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(engine, Path(folder)) as (url, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        context = browser.new_context(locale="en-US", viewport=VIEWPORT)
        context.add_init_script(KNOWN)
        page, _ = open_page(context, url)
        keep_seed(page)
        film = Film(page)
        type_wish(film)
        form(film, engine)
        browser.close()
    film.save(out)
    print(f"{out}: {len(film.frames)} frames, {out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
