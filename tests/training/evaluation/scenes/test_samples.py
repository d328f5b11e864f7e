"""The sample sheets of scenes show what their words say, in first seeds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.prompted_models import make_prompted
from training.evaluation.scenes import samples
from var_core import VARPipeline
from var_core.sampling import generators_from_seeds


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "PROMPTS", ("a fox", "a pizza, in the snow"))
    monkeypatch.setattr(samples, "SCALE_PROMPTS", ("a fox", "a pizza"))
    monkeypatch.setattr(samples, "STYLE_PROMPTS", ("a fox", "a pizza"))
    monkeypatch.setattr(samples, "LANGUAGES", dict.fromkeys("abcde", "a fox"))
    monkeypatch.setattr(samples, "SEEDS", range(3))
    monkeypatch.setattr(samples, "WIDE_SEEDS", range(2))
    monkeypatch.setattr(samples, "BEFORE", "a fox")
    monkeypatch.setattr(samples, "AFTER", "a pizza")
    monkeypatch.setattr(samples, "VARIED", "a pizza")
    monkeypatch.setattr(samples, "KEPT", 1)


def shows(pixels: np.ndarray, image: np.ndarray) -> bool:
    """Whether a place of a sheet has the colours of a picture."""
    return bool(np.abs(pixels.mean((0, 1)) - image.mean((0, 1))).max() < 4)


def test_sheets_have_a_row_for_each_prompt_and_a_column_for_each_seed() -> None:
    pipeline = make_prompted()
    sheet = samples.seeds_sheet(pipeline)
    drawn = pipeline(prompt=["a pizza, in the snow"], generator=generators_from_seeds([2])).images
    side = samples.SIDE
    assert sheet.shape[1] >= 3 * side and len(sheet) >= 2 * side
    assert shows(sheet[-side - 2 :, -side:][:side], np.array(drawn[0]))


def test_the_last_column_of_scales_is_the_picture() -> None:
    pipeline = make_prompted()
    sheet, side = samples.scales_sheet(pipeline), samples.SIDE
    drawn = pipeline(prompt=["a fox"], generator=generators_from_seeds([0])).images
    assert sheet.shape[1] >= pipeline.transformer.schedule.num_scales * side
    assert shows(sheet[:side, -side:], np.array(drawn[0]))


def test_each_row_of_styles_asks_for_its_style() -> None:
    pipeline = make_prompted()
    attribute = pipeline.labels.attributes[0]
    drawn = samples.draw(pipeline, ["a fox"], [0], {attribute.name: attribute.values[0]})
    expected = (torch.as_tensor(drawn[0]).permute(1, 2, 0).numpy() + 1) * 127.5
    sheet, side = samples.styles_sheet(pipeline), samples.SIDE
    assert len(sheet) >= len(attribute.values) * side
    assert shows(sheet[:side, -2 * side : -side], expected)


def test_every_sheet_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VARPipeline, "from_pretrained", lambda *_: make_prompted())
    assert samples.main(["--model", "a-model", "--out", str(tmp_path / "sheets")]) == 0
    assert {path.stem for path in (tmp_path / "sheets").iterdir()} == set(samples.SHEETS)
