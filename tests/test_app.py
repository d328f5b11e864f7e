"""The page as gradio sees it: widgets, events and errors around a tiny model."""

from pathlib import Path

import gradio as gr
import pytest

import app
from var_core.pipeline import VARPipeline
from var_core.serving.engine import Engine
from var_core.serving.studio import Moment, Studio


@pytest.fixture
def page(pipeline: VARPipeline, tmp_path: Path) -> app.Page:
    return app.Page(Studio(Engine(pipeline, lambda dtype: pipeline), "tiny", tmp_path))


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model folder")


def test_all_events_that_draw_share_one_place_and_bypass_is_closed(page: app.Page) -> None:
    api = {"tokenize", "generate", "stream", "styles", "sweep", "redraw"}
    names = {"draw", "draw_again", "analyse", "restore"} | api
    drawing = [fn for fn in page.demo.fns.values() if getattr(fn.fn, "__name__", "") in names]
    assert len(drawing) == 4 + 1 + 1 + 1 + len(api)  # buttons, history, tokenizer, PNG
    assert {fn.concurrency_id for fn in drawing} == {"engine"}
    assert page.demo.api_open is False


def test_the_controls_stand_in_the_order_in_which_they_are_read(page: app.Page) -> None:
    assert list(page.inputs) == page.controls.names


def test_a_model_with_one_attribute_has_a_page_too(
    class_pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = Engine(class_pipeline, lambda dtype: class_pipeline)
    page = app.Page(Studio(engine, "classes", tmp_path))
    assert list(page.inputs)[:2] == ["class", "seed"]
    assert page.styles.visible is False  # ten values are too many for a sheet


def test_only_the_api_is_public(page: app.Page) -> None:
    public = {fn.api_name for fn in page.demo.fns.values() if fn.api_visibility == "public"}
    names = "about generate recipe redraw stream styles sweep tokenize"
    assert sorted(public) == names.split()


def test_what_is_refused_becomes_one_sentence() -> None:
    @app.clear_errors
    def refuse() -> None:
        raise ValueError("seed must be a whole number")

    @app.clear_errors
    def refuse_stream():
        yield 1
        raise OSError(28, "No space left on device")

    with pytest.raises(gr.Error, match="seed must be a whole number"):
        refuse()
    stream = refuse_stream()
    assert next(stream) == 1
    with pytest.raises(gr.Error, match=r"No space left on device\. Free some space"):
        next(stream)


def test_what_a_moment_leaves_open_stays_as_it_is() -> None:
    updates = app.widgets(Moment(status="Scale 1 of 4"))
    assert updates[2] == "Scale 1 of 4"
    assert [update == gr.skip() for update in updates] == [True] * 2 + [False] + [True] * 6
    files = app.widgets(Moment(files=()))[5]
    assert files.visible is False
