"""Measures the page in a real browser: `python -m tests.benchmarks.page`.

Starts `python app.py` once, opens the page several times, types, draws one picture and a sheet.
Times are those of the browser itself, from its own events to the frame that shows the answer.
Nothing is asserted.
"""

import argparse
import contextlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.benchmarks.report import host, write_json
from tests.benchmarks.startup import served
from tests.browser.conftest import CHROMIUM, CHROMIUM_FLAGS, PATIENCE, VIEWS, wait_done
from var_core.devices import pick_device

WORDS = "fo"  # typed key by key; each lists names
WATCH = """() => {
  window.measured = { shift: 0, suggestions: [], previews: [] };
  new PerformanceObserver(list => list.getEntries().forEach(one => {
    if (!one.hadRecentInput) window.measured.shift += one.value;
  })).observe({ type: "layout-shift", buffered: true });
  let typed = 0, clicked = 0;
  const at = () => performance.now();
  addEventListener("keydown", event => { if (event.key.length === 1) typed = at(); }, true);
  addEventListener("click", ({ target }) => {
    if (target.closest("#generate, #compare-draw")) clicked = at();
  }, true);
  const after = (since, list) => requestAnimationFrame(() => list.push(at() - since));
  new MutationObserver(changes => {
    const nodes = changes.map(one => one.target).filter(one => one.closest);
    if (typed && nodes.some(one => one.closest("[role=listbox]") && one.offsetParent)) {
      after(typed, window.measured.suggestions);
      typed = 0;
    }
    const pictures = nodes.some(one => one.closest(".stage") && one.matches("img[src^='data:']"));
    if (clicked && pictures) {
      after(clicked, window.measured.previews);
      clicked = 0;
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
}"""
SHIFT = "() => { const { shift } = window.measured; window.measured.shift = 0; return shift; }"
PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0].startTime"""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: thing measured, with its unit.
        median: median of all runs.
        worst: largest value.
    """

    name: str
    median: float
    worst: float


@contextlib.contextmanager
def calls_of(page: Page) -> Iterator[list[str]]:
    """Posts and streams of a page while the block runs."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            seen.append("posts")
        elif "/queue/data" in request.url:
            seen.append("streams")

    page.on("request", note)
    yield seen
    page.remove_listener("request", note)


def draw(page: Page) -> None:
    """Draw one picture."""
    page.locator("#generate").click()
    expect(page.locator("#stage .stage")).to_have_attribute("data-state", "drawn")
    wait_done(page)


def draw_sheet(page: Page) -> None:
    """Draw the sheet that Compare begins with."""
    page.locator("#compare-draw").click()
    expect(page.locator("#sheet [data-part=after]")).to_be_visible()


def visit(browser: Browser, address: str, view: str) -> dict[str, float]:
    """Figures of one visit.

    Args:
        browser: a started browser.
        address: address of the page.
        view: name of a window's size.
    """
    context = browser.new_context(locale="en-US", **VIEWS[view])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(f"({WATCH})()")
    page.goto(address)
    page.locator("#generate").wait_for()
    found = {"first paint, ms": page.evaluate(PAINT)}
    page.wait_for_function("() => document.querySelector('#generate').offsetParent")
    found["ready to draw, ms"] = page.evaluate("() => performance.now()")
    found["layout shift, opening"] = page.evaluate(SHIFT)
    for key in WORDS:
        page.locator("[role=combobox]").first.press(key)
        expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[role=combobox]").first.fill("")
    for name, act in (("picture", draw), ("sheet", draw_sheet)):
        if name == "sheet":
            page.get_by_role("tab", name="Compare").click()
            page.locator("#compare-draw").wait_for()
        with calls_of(page) as calls:
            act(page)
        for kind in ("posts", "streams"):
            found[f"{kind} of a {name}"] = calls.count(kind)
    found["layout shift, drawing"] = page.evaluate(SHIFT)
    measured = page.evaluate("() => window.measured")
    found["suggestions, ms"] = max(measured["suggestions"])
    for name, wait in zip(("picture", "sheet"), measured["previews"], strict=True):
        found[f"first preview of a {name}, ms"] = wait
    context.close()
    return found


def measure(runs: int, view: str) -> list[Figure]:
    """All figures of several visits, after one that fills the caches.

    Args:
        runs: number of visits.
        view: name of a window's size.
    """
    expect.set_options(timeout=PATIENCE)
    with served() as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        visits = [visit(browser, address, view) for _ in range(runs + 1)][1:]
        browser.close()
    return [
        Figure(
            name,
            statistics.median(one[name] for one in visits),
            max(one[name] for one in visits),
        )
        for name in visits[0]
    ]


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--view", choices=VIEWS, default="desktop")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    described = {"host": host(pick_device()), "view": arguments.view}
    print(*(f"{key} {value}" for key, value in described["host"].items()), sep=", ")
    figures = measure(arguments.runs, arguments.view)
    width = max(len(one.name) for one in figures)
    print(f"{'':{width}}    median     worst   (of {arguments.runs} visits, {arguments.view})")
    for one in figures:
        print(f"{one.name:{width}}  {one.median:8.3f}  {one.worst:8.3f}")
    if arguments.json:
        write_json(arguments.json, described, {"page": figures})


if __name__ == "__main__":
    main()
