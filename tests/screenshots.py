"""Screenshots of the page for the README: `python -m tests.screenshots --out assets/screenshots`.

With `--every`, each state at each size in both themes, to look at. Real server, shipped weights,
Debian's chromium; the labels and seeds below, first tries.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import (
    CHROMIUM,
    CHROMIUM_FLAGS,
    OTHER_VIEWS,
    PATIENCE,
    VIEWS,
    ask_for,
    chip,
    draw,
    open_context,
    open_page,
    set_count,
    set_number,
)
from tests.browser.test_comparing import draw_sheet, open_tab
from tests.browser.test_editing import press, stroke
from tests.server import running_app

SHARP = 1.5  # device pixels per CSS pixel


def keep_seed(page: Page) -> None:
    """Choose seed 7, and close the options again."""
    set_number(page, "seed", "7")
    page.locator("#more button").first.click()
    expect(page.locator("#seed")).to_be_hidden()


def ask(page: Page, *names: str) -> None:
    """Ask for names in the box, one after the other."""
    for name in names:
        ask_for(page, name)


def fox(page: Page) -> None:
    """A fox."""
    ask(page, "fox", "mountains", "day", "noto")
    keep_seed(page)
    draw(page)


def several_drawings(page: Page) -> None:
    """Eight pictures of one wish, after two others."""
    fox(page)
    chip(page, "fox").click()
    ask(page, "penguin")
    draw(page)
    for name in ("penguin", "noto", "day"):
        chip(page, name).click()
    ask(page, "house")
    set_count(page, 8)
    draw(page)


def style_sheet(page: Page) -> None:
    """One thing in every style and some places."""
    ask(page, "fox")
    open_tab(page)
    draw_sheet(page)


def how(page: Page) -> None:
    """The tab How it works."""
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#how img")).to_have_count(8)


def inside(page: Page) -> None:
    """The inside of a picture that was drawn before."""
    fox(page)
    page.locator("#use").click()
    expect(page.locator("#inside [data-choice] img")).to_have_count(6)


def editing(page: Page) -> None:
    """A fox that becomes a house."""
    fox(page)
    page.locator("#send-edit").click()
    expect(page.locator("#painter [data-part=picture]")).to_be_visible()
    page.locator("#painter [data-part=rectangle]").click()
    stroke(page, (0.12, 0.22), (0.88, 0.94))
    ask(page, "house", "mountains", "day", "noto")
    press(page, "redraw-mask")


SHOTS = {  # name: view, theme, what to do first
    "desktop-light": ("desktop", "light", fox),
    "desktop-dark": ("desktop", "dark", several_drawings),
    "phone": ("phone", "light", fox),
    "comparing": ("desktop", "light", style_sheet),
    "comparing-phone": ("phone", "dark", style_sheet),
    "how-it-works": ("desktop", "dark", how),
    "inside": ("desktop", "light", inside),
    "inside-phone": ("phone", "dark", inside),
    "editing": ("desktop", "light", editing),
    "editing-phone": ("phone", "dark", editing),
}


def empty(page: Page) -> None:
    """The page as it opens."""
    expect(page.locator("#stage .welcome")).to_be_visible()


SIZES = {**VIEWS, **OTHER_VIEWS}
STATES = {
    "empty": empty,
    "drawn": several_drawings,
    "editing": editing,
    "comparing": style_sheet,
    "inside": inside,
    "how": how,
}
EVERY = {
    f"{state}-{view}-{theme}": (view, theme, act)
    for (state, act), view, theme in itertools.product(STATES.items(), SIZES, ("light", "dark"))
}


def take(
    browser: Browser, url: str, path: Path, view: str, theme: str, act: Callable[[Page], None]
) -> None:
    """Take one, in a browser that nobody has used before."""
    context = open_context(browser, view, **{"device_scale_factor": SHARP, **SIZES[view]})
    page, _ = open_page(context, f"{url}/?__theme={theme}")
    act(page)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    if view in ("phone", "zoomed"):  # the picture, below what is asked for
        page.get_by_role("tablist").first.evaluate("tabs => tabs.scrollIntoView()")
    page.wait_for_timeout(600)
    page.screenshot(path=path, full_page=view == "desktop")
    print(path)
    context.close()


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for PNG files")
    parser.add_argument("--every", action="store_true", help="each state at each size")
    parser.add_argument("--only", default="", help="those whose name holds this")
    arguments = parser.parse_args()
    out, shots = arguments.out, EVERY if arguments.every else SHOTS
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder) / "log") as url,
        sync_playwright() as playwright,
    ):
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        for name, (view, theme, act) in shots.items():
            if arguments.only in name:
                take(browser, url, out / f"{name}.png", view, theme, act)


if __name__ == "__main__":
    main()
