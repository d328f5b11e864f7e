"""What strangers write is shown as they wrote it, and is no HTML of the page."""

import io
import json
import urllib.parse
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.clients import API, Client, serving
from tests.web.test_hostile_calls import config_of, default_values, press, upload
from var_core.serving.local_engine import LocalEngine
from var_core.web.html import MAX_WORDS, plain_html
from var_core.web.sessions import PageState
from var_core.web.widgets import plain_sentence, sentence

TAG = "<img src=http://127.0.0.1:9/leak>"
SENTENCES = {"status", "edit-status", "report"}


def recipe_picture(**recipe: object) -> bytes:
    """A PNG with a recipe that somebody made up."""
    info, file = PngInfo(), io.BytesIO()
    info.add_text("var-studio", json.dumps(recipe))
    Image.new("RGB", (16, 16)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def test_a_sentence_is_text_and_its_length_is_bounded() -> None:
    assert plain_html("a < b & 'c'") == "a &lt; b &amp; 'c'"
    assert len(plain_html("x" * 10_000)) == MAX_WORDS
    with gr.Blocks():
        widget = sentence("", "status")
    assert widget.postprocess(TAG) == plain_html(TAG) and TAG not in plain_html(TAG)
    assert widget.postprocess(None) is None


def test_a_sentence_stays_text_when_an_event_passes_it_over() -> None:
    with gr.Blocks() as blocks:
        status = sentence("", "status")
    state = PageState(blocks)
    for _ in range(2):  # as gradio does for no change
        state[status._id] = gr.HTML(elem_id="status", render=False)
        assert state[status._id].postprocess(TAG) == plain_html(TAG)


def test_all_that_tells_what_happens_is_such_a_sentence(
    engine: LocalEngine, tmp_path: Path
) -> None:
    with serving(engine, tmp_path) as (_, blocks):
        found = {one.elem_id: one for one in blocks.blocks.values() if isinstance(one, gr.HTML)}
    assert all(found[name].postprocess is plain_sentence for name in SENTENCES)


def test_links_recipes_and_values_cannot_write_html(engine: LocalEngine, tmp_path: Path) -> None:
    with serving(engine, tmp_path) as (url, _):
        client = Client(url)
        said = press(client, "generate", "click", [TAG, *default_values(client)[1:]])
        path = upload(client, recipe_picture(model=TAG + "x" * 9_000, labels={}))
        named = {"path": path, "meta": {"_type": "gradio.FileData"}}
        said += press(client, "drop", "upload", [named])
        said += load_link(client, emoji=TAG, seed=TAG, prompt=TAG)
    told = json.dumps(said)
    assert "<img" not in told and told.count("&lt;img") >= 3 and len(told) < 20_000


def load_link(client: Client, **query: str) -> list[dict]:
    """Open the page by a link; all messages until its values are there."""
    (function,) = [
        one
        for one in config_of(client.place)["dependencies"]
        if any(what == "load" for _, what in one["targets"]) and not one["inputs"]
    ][:1]
    body = {"data": [], "fn_index": function["id"], "session_hash": "link", "trigger_id": None}
    door = f"{API}/queue/join?{urllib.parse.urlencode(query)}"
    assert client.ask("POST", door, json.dumps(body).encode())[0] == 200
    status, text = client.ask("GET", f"{API}/queue/data?session_hash=link")
    assert status == 200
    lines = [line for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line[6:]) for line in lines]


def test_a_program_is_told_in_plain_text(engine: LocalEngine, tmp_path: Path) -> None:
    with serving(engine, tmp_path) as (url, _):
        client = Client(url)
        *_, (kind, said) = client.events("generate", client.call("generate", {"emoji": TAG}))
    assert kind == "error" and isinstance(said, dict) and "<img" in said["error"]


@pytest.mark.parametrize("path", ["/", "/config", "/healthz", "/nothing"])
def test_every_answer_forbids_what_comes_from_elsewhere(
    engine: LocalEngine, tmp_path: Path, path: str
) -> None:
    with serving(engine, tmp_path) as (url, _):
        connection = Client(url).connect()
        connection.request("GET", path)
        policy = connection.getresponse().getheader("content-security-policy") or ""
        connection.close()
    sources = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert sources["default-src"] == "'self'" and sources["object-src"] == "'none'"
    assert all("http" not in source and "*" not in source for source in sources.values())
