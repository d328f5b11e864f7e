"""A server with an adapter: its new thing beside all that the model knew."""

from pathlib import Path

import pytest
import torch

import app
from tests.prompted_models import make_prompted
from tests.test_adapters import make_adapter, make_phrase_adapter
from var_core import VARPipeline
from var_core.jobs.requests import DrawRequest
from var_core.serving.executors import DrawingThreads
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.installed_engines import make_engines
from var_core.serving.metrics import JobMetrics


@pytest.fixture
def model(pipeline: VARPipeline, tmp_path: Path) -> Path:
    pipeline.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def adapter(pipeline: VARPipeline, tmp_path: Path) -> Path:
    make_adapter(pipeline.transformer, "emoji", "cat").save(tmp_path / "cat")
    return tmp_path / "cat"


def test_the_front_page_draws_the_new_thing_and_the_plain_model_stays(
    model: Path, adapter: Path
) -> None:
    parts = (DrawingThreads(), JobMetrics(), FairQueue(QueueLimits()))
    adapted, plain, *_ = make_engines(model, "fp32", *parts, adapter=adapter)
    assert (adapted.info.name, plain.info.name) == ("tiny+cat", "tiny")
    adapted.prepare()
    wish = adapted.info.reader.read({"emoji": "my cat", "style": "3d"}, None)
    *_, last = adapted.generate(DrawRequest((wish,), (0,), (adapted.info.options,)))
    expected = VARPipeline.from_pretrained(model).with_adapter(adapter)
    drawn = expected.draw(
        [{"emoji": "my cat", "style": "3d"}], generator=[torch.Generator().manual_seed(0)]
    )
    assert torch.equal(last.token_maps[-1], drawn.token_maps[-1])
    assert "my cat" not in plain.info.labels.attributes[1].values


def test_a_new_phrase_is_typed_and_offered(tmp_path: Path) -> None:
    model, adapter = tmp_path / "words", tmp_path / "cat"
    make_prompted().save_pretrained(model)
    make_phrase_adapter().save(adapter)
    parts = (DrawingThreads(), JobMetrics(), FairQueue(QueueLimits()))
    adapted, plain, *_ = make_engines(model, "fp32", *parts, adapter=adapter)
    assert "my cat" in adapted.info.labels.menus[0].names
    assert "my cat" not in plain.info.labels.menus[0].names
    adapted.prepare()
    wish = adapted.info.reader.read(None, "my cat, in the snow")
    *_, last = adapted.generate(DrawRequest((wish,), (0,), (adapted.info.options,)))
    expected = VARPipeline.from_pretrained(model).with_adapter(adapter)
    drawn = expected.draw(
        prompt="in the snow and my cat", generator=[torch.Generator().manual_seed(0)]
    )
    assert torch.equal(last.token_maps[-1], drawn.token_maps[-1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda adapter: (adapter / "adapter.json").unlink(), "adapter.json cannot be read"),
        (lambda adapter: (adapter / "adapter.safetensors").write_bytes(b"x"), "is damaged"),
        (lambda adapter: adapter.rename(adapter.with_name("elsewhere")), "cat"),
    ],
)
def test_a_bad_adapter_is_one_sentence(
    model: Path, adapter: Path, capsys: pytest.CaptureFixture, spoil, message: str
) -> None:
    spoil(adapter)
    assert app.main(["--model", str(model), "--adapter", str(adapter)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and message in said and said.count("\n") == 1


def test_an_adapter_of_another_model_is_one_sentence(
    pipeline: VARPipeline, model: Path, adapter: Path, capsys: pytest.CaptureFixture
) -> None:
    with torch.no_grad():
        pipeline.transformer.pos_embed += 1
    pipeline.save_pretrained(model)
    assert app.main(["--model", str(model), "--adapter", str(adapter)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: the adapter 'my cat' belongs to weights")
    assert said.count("\n") == 1
