"""What the scripts of the page make of what they are told: on a bare page, without a server."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import open_context, until
from var_core.web import compare_tab, server, stage
from var_core.web.assets import read_asset, read_script

pytestmark = pytest.mark.browser
SITE = "http://studio.test/"
TABS = ("draw", "compare", "how")
BARE = "".join(
    f"<button role=tab data-tab-id={name} aria-selected={str(name == 'draw').lower()}></button>"
    for name in TABS
)
BARE = f"""<!doctype html><div id="tabs">{BARE}</div>
<div id="ask"></div><div id="stage-column"></div>
<button id="generate">Draw</button><button id="stop">Stop</button>
<div id="status"><div data-testid="status-tracker" class="hide"></div></div>
<div id="compare-status"><div data-testid="status-tracker" class="hide"></div></div>
<script>
  const tabs = [...document.querySelectorAll("[role=tab]")];
  tabs.forEach(one => one.addEventListener("click", () =>
    tabs.forEach(other => other.setAttribute("aria-selected", String(other === one)))));
  window.parts = {{}};
  // as gradio builds a widget: `tell` gives it a value, `asked` has the events that it triggers
  window.build = ({{ id, html, script, value }}) => {{
    const element = Object.assign(document.createElement("div"), {{ id, innerHTML: html }});
    document.body.append(element);
    const [watching, asked, props] = [[], [], {{ value }}];
    const tell = changes => {{
      Object.assign(props, changes);
      for (const [name, act] of watching) if (name in changes) act();
    }};
    window.parts[id] = {{ asked, tell }};
    const MODEL = {{ name: "bare", shape: [64, 64] }};
    new Function("element", "props", "watch", "trigger", "MODEL", script)(
      element, props, (name, act) => watching.push([name, act]),
      (name, data) => asked.push([name, data]), MODEL);
  }};
  window.busy = (id, isBusy) =>
    document.querySelector(`#${{id}} [data-testid]`).classList.toggle("hide", !isBusy);
</script>"""
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
TAB = "() => document.querySelector('[role=tab][aria-selected=true]').dataset.tabId"


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor of a site that has nothing but a bare page."""
    context = open_context(browser)
    context.route(f"{SITE}**", lambda route: route.fulfill(body=BARE, content_type="text/html"))
    yield context
    context.close()


@pytest.fixture
def bare(context: BrowserContext) -> Iterator[Page]:
    """A bare page with the stage, a sheet, and the scripts that serve the whole page."""
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(SITE)
    build(page)
    yield page
    page.close()
    assert wrong == []


def build(page: Page) -> None:
    """Build what the tests look at."""
    for name, one, value in (
        ("stage", stage, ""),
        ("sheet", compare_tab, '{"plan":[["a"],["b"]]}'),
    ):
        html, script = ("".join(map(read_asset, files)) for files in (one.TEMPLATES, one.SCRIPTS))
        part = {"id": name, "html": html, "script": script, "value": value}
        page.evaluate("part => window.build(part)", part)
    page.evaluate(f"() => {{{''.join(map(read_asset, server.SCRIPTS))}}}")


class Told:
    """What a part of the page is told: a text that grows line by line, as `Feed` writes it.

    Args:
        page: a bare page.
        name: the part.
    """

    def __init__(self, page: Page, name: str = "stage") -> None:
        self.page, self.name, self.text = page, name, ""

    def say(self, run: int, **line: object) -> None:
        """Add a line about a run."""
        self.text += json.dumps({"run": run, **line}) + "\n"
        self.tell(self.text)

    def tell(self, text: str) -> None:
        """Give the part another text."""
        self.page.evaluate(f"text => window.parts.{self.name}.tell({{ value: text }})", text)

    def start(self, run: int, query: str = "") -> None:
        """Begin a drawing of three scales."""
        self.text = ""
        shapes = [[1, 1], [2, 2], [4, 4]]
        facts = {"count": 2, "captions": ["one", "two"], "axes": [["one", "two"], ["b"]]}
        asked = {"seeds": [run, run + 1], "shapes": shapes, "shape": [64, 64], "query": query}
        self.say(run, **facts, **asked)

    def scales(self, run: int, count: int) -> None:
        """Show the first scales."""
        for scale in range(1, count + 1):
            urls = [f"{DOT}#{run}-{scale}-{place}" for place in range(2)]
            self.say(run, scale=scale, pictures=urls, words=["", ""])

    def end(self, run: int, scale: int = 3) -> None:
        """End a drawing after a scale."""
        files = [[f"{DOT}#{run}-file-{place}", f"{run}.png"] for place in range(2)]
        queries = [f"seed={run + place}" for place in range(2)]
        more = {"words": ["", ""], "queries": queries, "smooth": False}
        self.say(run, scale=scale, is_drawn=scale == 3, files=files, sheet=None, **more)

    def asked(self) -> list:
        """The events that it has triggered."""
        return self.page.evaluate(f"() => window.parts.{self.name}.asked")


def draw(told: Told, run: int, query: str = "") -> None:
    """A whole drawing, shown to its end."""
    told.start(run, query)
    told.scales(run, 2)
    told.end(run)
    state = told.page.locator(
        "#stage .stage" if told.name == "stage" else "#sheet [data-part=after]"
    )
    if told.name == "stage":
        expect(state).to_have_attribute("data-state", "drawn")
    else:
        expect(state).to_be_visible()


def shown(page: Page, where: str) -> list[str]:
    """What pictures show, without what they all begin with."""
    sources = "all => all.map(one => one.getAttribute('src')?.split('#')[1])"
    return page.locator(f"{where} figure img:not([hidden])").evaluate_all(sources)


@pytest.mark.parametrize(("tab", "event"), [("edit", "edit_one"), ("inside", "look_inside")])
def test_a_link_to_an_edit_opens_the_finished_picture(bare: Page, tab: str, event: str) -> None:
    told = Told(bare)
    bare.evaluate("query => window.varStudio.open(new URLSearchParams(query))", f"seed=5&tab={tab}")
    assert [name for name, _ in told.asked()] == ["open_link"]
    told.start(5, "seed=5")
    told.scales(5, 2)
    told.end(5)  # all at once: the clock has come to the first scale, if to any
    name, picture = told.asked()[-1]
    assert (name, picture["scale"], picture["run"]) == (event, 3, 5)
    assert "seed=5" in bare.url


@pytest.mark.parametrize("name", ["stage", "sheet"])
def test_a_text_that_is_read_again_begins_nothing_anew(bare: Page, name: str) -> None:
    bare.evaluate(
        "document.addEventListener('var-drawn', () => (window.drawn = 1 + (window.drawn ?? 0)))"
    )
    told = Told(bare, name)
    told.start(5, "seed=5")
    told.scales(5, 1)
    where = "#tiles" if name == "stage" else "#sheet"
    until(bare, lambda: shown(bare, where) == ["5-1-0", "5-1-1"])
    told.tell('{"plan":[["x"],["y"]]}' if name == "sheet" else '{"run":5,"place":0,"frames":[]}')
    told.say(5, scale=2, pictures=[f"{DOT}#5-2-{place}" for place in range(2)], words=["", ""])
    assert len(shown(bare, where)) == 2  # no cell is empty again
    told.end(5)
    until(bare, lambda: shown(bare, where) == ["5-file-0", "5-file-1"])
    told.tell('{"run":5,"place":0,"frames":[]}')
    told.tell(told.text)
    assert shown(bare, where) == ["5-file-0", "5-file-1"]
    assert bare.evaluate("window.drawn") == 1  # it is kept once


@pytest.mark.parametrize("is_said", [True, False])
@pytest.mark.parametrize("name", ["stage", "sheet"])
def test_a_drawing_without_a_scale_leaves_the_one_before(
    bare: Page, name: str, is_said: bool
) -> None:
    told = Told(bare, name)
    draw(told, 5)
    told.start(8)
    if is_said:
        told.say(0, nothing=True)
    else:
        detail = "status" if name == "stage" else "compare-status"
        event = f"new CustomEvent('var-idle', {{ detail: '{detail}' }})"
        bare.evaluate(f"document.dispatchEvent({event})")
    where = "#tiles" if name == "stage" else "#sheet"
    assert shown(bare, where) == ["5-file-0", "5-file-1"]
    assert bare.locator(f"{where} figcaption").all_inner_texts() == ["one", "two"]


def test_a_drawing_opens_no_tab_but_leaves_the_canvas_of_an_edit(bare: Page) -> None:
    told = Told(bare)
    for tab in ("how", "compare"):
        bare.goto(f"{SITE}?seed=5&tab={tab}")
        build(bare)
        bare.evaluate("window.varStudio.opened('draw')")  # as after a reload
        told.start(5, "seed=5")
        assert bare.evaluate(TAB) == tab and told.asked()[0][0] == "open_link"
    bare.evaluate("window.varStudio.openTab('edit')")
    told.start(6)
    assert bare.evaluate("document.querySelector('#stage-column').dataset.mode") == ""


@pytest.mark.parametrize("name", ["stage", "sheet"])
def test_a_step_back_while_something_forms_comes_after_it(bare: Page, name: str) -> None:
    told, status = Told(bare, name), {"stage": "status", "sheet": "compare-status"}[name]
    sides = "&rows=seed&columns=style" if name == "sheet" else ""
    bare.evaluate("query => history.replaceState(null, '', query)", f"?seed=1{sides}")
    bare.evaluate("query => history.pushState(null, '', query)", f"?seed=2{sides}")
    bare.evaluate("id => window.busy(id, true)", status)
    told.start(3, f"seed=3{sides}")
    bare.evaluate("history.back()")
    until(bare, lambda: "seed=1" in bare.url)
    told.scales(3, 1)
    until(bare, lambda: len(shown(bare, "#tiles" if name == "stage" else "#sheet")) == 2)
    assert told.asked() == [] and "seed=1" in bare.url  # and the way forth stays open
    bare.evaluate("history.forward()")
    until(bare, lambda: "seed=2" in bare.url)
    bare.evaluate("id => window.busy(id, false)", status)
    until(bare, told.asked)
    assert [(one, data["query"]["seed"]) for one, data in told.asked()] == [("open_link", "2")]


def test_a_link_that_waits_is_forgotten_for_what_is_opened_later(bare: Page) -> None:
    told = Told(bare)
    bare.evaluate("window.busy('status', true)")
    told.start(3)
    bare.evaluate("window.varStudio.open(new URLSearchParams('seed=1'))")
    bare.evaluate("window.varStudio.followAddress()")  # to the page as it is at first
    bare.evaluate(
        "window.idle = 0; document.addEventListener('var-idle', () => (window.idle += 1))"
    )
    bare.evaluate("window.busy('status', false)")
    until(bare, lambda: bare.evaluate("window.idle"))
    assert told.asked() == []


def test_a_browser_that_keeps_nothing_shows_pictures(context: BrowserContext) -> None:
    page = context.new_page()
    page.set_content(BARE)  # of no site: its store may not even be asked for
    assert (
        page.evaluate("() => { try { return Boolean(localStorage) } catch { return null } }")
        is None
    )
    build(page)
    draw(Told(page), 5)
    draw(Told(page, "sheet"), 5)
    page.locator("#pace").select_option("50")
    assert shown(page, "#tiles") == shown(page, "#sheet") == ["5-file-0", "5-file-1"]
    page.close()


STROKES = """() => {
  const at = x => [x + 0.5, 0.5];
  const strokes = new Strokes();
  const painted = () => strokes.mask.pixels.reduce((sum, one) => sum + one, 0);
  const paint = (x, ends = true) => {
    strokes.begin(at(x), 0.6, false);
    if (ends) strokes.end();
  };
  strokes.reset(new Mask(10, 1));
  paint(0);
  paint(1);
  strokes.undo();
  paint(5, false);
  strokes.forget(); // a second finger has come
  const again = strokes.undone.length;
  strokes.redo();
  const found = [again, painted()];
  const sent = strokes.mask;
  strokes.reset(new Mask(10, 1)); // an edit has begun
  paint(4);
  strokes.restore(sent); // and was stopped
  found.push(painted());
  strokes.undo();
  found.push(painted());
  strokes.redo();
  found.push(painted());
  const whole = strokes.mask;
  strokes.tool = TOOLS.r;
  paint(7, false);
  strokes.reset(new Mask(10, 1));
  strokes.restore(whole); // while a stroke was painted
  strokes.extend([9, 1], 0.6);
  strokes.extend([8, 1], 0.6);
  strokes.forget();
  return [...found, painted()];
}"""


def test_strokes_are_taken_back_one_by_one_around_an_edit_that_was_stopped(bare: Page) -> None:
    script = read_script("painter/strokes.js")
    assert bare.evaluate(f"() => {{ {script}; return ({STROKES})(); }}") == [1, 2, 3, 2, 3, 3]


PASTE = """([words, isPicture, where]) => {
  const data = new DataTransfer();
  if (words) data.setData("text/plain", words);
  if (isPicture) data.items.add(new File(["x"], "x.png", { type: "image/png" }));
  let found = null;
  const target = document.body.appendChild(document.createElement(where));
  const note = event => (found = window.varStudio.pasted(event).length);
  document.addEventListener("paste", note, { once: true });
  target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
  return found;
}"""


def test_words_that_are_pasted_into_a_field_bring_no_picture(bare: Page) -> None:
    assert bare.evaluate(PASTE, ["a red fox", True, "input"]) == 0  # as from a table
    assert bare.evaluate(PASTE, ["a red fox", True, "textarea"]) == 0
    assert bare.evaluate(PASTE, ["", True, "input"]) == 1
    assert bare.evaluate(PASTE, ["a red fox", True, "div"]) == 1


def test_what_is_wrong_is_said_where_a_tab_has_no_status(bare: Page) -> None:
    bare.add_style_tag(content="#status, #compare-status { display: none }")
    bare.evaluate("window.varStudio.notify('the seed is too large')")
    expect(bare.locator("#ask .notice")).to_be_visible()
