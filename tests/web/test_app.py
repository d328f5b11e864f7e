"""The page as gradio sees it: widgets, events and errors around a tiny model."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest

import app
from var_core.pipeline import VARPipeline
from var_core.serving.engine import LocalEngine
from var_core.serving.metrics import Journal
from var_core.web.draw_handlers import Moment, Studio


@pytest.fixture
def page(pipeline: VARPipeline, tmp_path: Path) -> app.Page:
    studio = Studio(LocalEngine(pipeline.info, lambda dtype: pipeline), "tiny", tmp_path)
    return app.Site([studio], Journal()).pages[0]


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model folder")


def test_all_events_that_draw_reach_the_queue_of_the_engine_and_bypass_is_closed(
    page: app.Page,
) -> None:
    api = {
        "tokenize",
        "generate",
        "stream",
        "styles",
        "sweep",
        "redraw",
        "outpaint",
        "vary",
        "edit",
    }
    names = {"draw", "draw_again", "analyse", "restore", "change"} | api
    drawing = [fn for fn in page.demo.fns.values() if getattr(fn.fn, "__name__", "") in names]
    assert len(drawing) == 4 + 3 + 1 + 1 + 1 + len(api)  # buttons, edits, history, tokenizer, PNG
    assert {fn.concurrency_limit for fn in drawing} == {None}
    assert all(fn.queue for fn in drawing)
    assert page.demo.api_open is False


def test_the_controls_stand_in_the_order_in_which_they_are_read(page: app.Page) -> None:
    assert list(page.inputs) == page.controls.names


def test_a_model_with_one_attribute_has_a_page_too(
    class_pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = LocalEngine(class_pipeline.info, lambda dtype: class_pipeline)
    page = app.Site([Studio(engine, "classes", tmp_path)], Journal()).pages[0]
    assert list(page.inputs)[:2] == ["class", "seed"]
    assert page.styles.visible is False  # ten values are too many for a sheet


def test_only_the_api_is_public(page: app.Page) -> None:
    public = {fn.api_name for fn in page.demo.fns.values() if fn.api_visibility == "public"}
    names = "about edit generate outpaint recipe redraw stream styles sweep tokenize vary"
    assert sorted(public) == names.split()


def refuse() -> None:
    raise ValueError("seed must be a whole number")


def lose() -> None:
    raise KeyError("/secret/path")


def fill_disk() -> Iterator[int]:
    yield 1
    raise OSError(28, "No space left on device")


def call(handler: Callable, steps: int = 1, values: tuple = ()) -> None:
    """Call a handler as the queue does."""
    with app.GuardedBlocks(Journal()) as blocks:
        number, button = gr.Number(), gr.Button()
        button.click(handler, None, number)
    iterator = None
    for _ in range(steps):
        result = asyncio.run(blocks.process_api(0, list(values), iterator=iterator))
        iterator = result["iterator"]


def test_what_is_refused_becomes_one_sentence_and_what_fails_a_reference() -> None:
    with pytest.raises(gr.Error, match="seed must be a whole number"):
        call(refuse)
    with pytest.raises(gr.Error, match=r"No space left on device\. Free some space"):
        call(fill_disk, steps=2)
    with pytest.raises(gr.Error, match="takes 0 values, not 2"):
        call(refuse, values=(1, 2))
    with pytest.raises(gr.Error, match=r"Reference: [0-9a-f]{8}'?$") as caught:
        call(lose)
    assert "secret" not in caught.value.message and caught.value.print_exception is False


def test_what_a_moment_leaves_open_stays_as_it_is() -> None:
    updates = app.widgets(Moment(status="Scale 1 of 4"))
    assert updates[2] == "Scale 1 of 4"
    assert [update == gr.skip() for update in updates] == [True] * 2 + [False] + [True] * 6
    files = app.widgets(Moment(files=()))[5]
    assert files.visible is False
