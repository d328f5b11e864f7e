"""Pictures that were drawn beforehand: each is what its recipe draws."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import EMBEDDED_MODEL
from tests.example_pictures import FACE, WISHES, settings, write_pictures
from tests.web.test_draw_handlers import file, told
from var_core import VARPipeline
from var_core.jobs.parsing import count_up
from var_core.official.catalogue import EMBEDDED
from var_core.serving.fair_queue import BusyError
from var_core.serving.local_engine import LocalEngine
from var_core.web import examples
from var_core.web.controls import Controls
from var_core.web.draw_handlers import DrawHandlers
from var_core.web.examples import examples_folder, examples_html, read_examples, read_faces


@pytest.fixture
def drawn(engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with an example of the tiny model."""
    monkeypatch.setattr(examples, "asset_path", lambda name: tmp_path / name)
    folder = examples_folder("tiny")
    chosen = settings(Controls(engine.info), {"emoji": "cat", "style": "3d"}, 5)
    write_pictures(engine, count_up(chosen, 1), [folder / "1.png"])
    return folder


def load(dtype: torch.dtype) -> VARPipeline:
    """The embedded model."""
    return VARPipeline.from_pretrained(EMBEDDED_MODEL, dtype)


def test_the_embedded_model_draws_its_examples_again(embedded: VARPipeline, tmp_path: Path) -> None:
    engine = LocalEngine(embedded.info, load)
    handlers, found = DrawHandlers(engine, tmp_path, str), read_examples(Controls(embedded.info))
    assert len(found) == len(WISHES) == 8
    for number, (example, wish) in enumerate(zip(found, WISHES, strict=True), 1):
        assert {name: example.order.values[name] for name in wish} == wish
        assert example.order.values["seed"] == number
    order = replace(found[0].order, values={**found[0].order.values, "precision": "bf16"})
    names = [examples_folder(EMBEDDED) / "1.png", file([*handlers.stream(order)][-1])]
    shipped, again = (Image.open(name).convert("RGB") for name in names)
    again.thumbnail(shipped.size)
    difference = np.asarray(shipped, int) - np.asarray(again, int)
    assert np.abs(difference).mean() < 8  # other processors round otherwise
    assert set(read_faces(EMBEDDED)["style"]) == set(embedded.labels.attributes[-1].values)
    phrases = {choice.phrase for menu in embedded.labels.menus for choice in menu.choices}
    asked = [*FACE["prompt"], *(one for wish in WISHES for one in wish["prompt"])]
    assert phrases.issuperset(asked)


def test_a_demonstration_is_drawn_to_the_pixel_and_named_nowhere(
    engine: LocalEngine, drawn: Path, tmp_path: Path
) -> None:
    handlers = DrawHandlers(engine, tmp_path, str)
    (example,) = read_examples(handlers.controls)
    *moments, last = handlers.demo(example)
    assert last.status == f"An example: {example.words}. Now type your own wish"
    assert all(moment.seed is None for moment in moments)
    shown = next(moment for moment in reversed(moments) if moment.stage)
    assert told(shown)["query"] == ""  # the page's address stays as it is
    assert np.array_equal(Image.open(file(shown)), Image.open(drawn / "1.png"))


def test_nobody_is_told_that_there_is_no_room_for_a_demonstration(
    engine: LocalEngine, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = DrawHandlers(engine, tmp_path, str)

    def full(*_: object) -> None:
        raise BusyError("the queue is full")

    monkeypatch.setattr(engine, "generate", full)
    moments = [*handlers.demo(*read_examples(handlers.controls))]
    assert not any(moment.status for moment in moments)


def test_examples_of_another_model_are_skipped(
    engine: LocalEngine, drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    controls = Controls(engine.info)
    Image.new("RGB", (8, 8)).save(drawn / "2.png")
    assert len(read_examples(controls)) == 1 and "holds no recipe" in caplog.text
    assert 'title="Draw: cat, 3d"' in examples_html(read_examples(controls))
