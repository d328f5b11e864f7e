"""The sample sheets of scenes show what their words say, in first seeds."""

import numpy as np
import pytest
import torch

from tests.prompted_models import make_prompted
from training.evaluation.scenes import samples
from var_core.sampling import generators_from_seeds


def test_sheets_have_a_row_for_each_prompt_and_a_column_for_each_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(samples, "PROMPTS", ("a fox", "a pizza, in the snow"))
    monkeypatch.setattr(samples, "SEEDS", range(3))
    monkeypatch.setattr(samples, "EDIT_SEEDS", range(2))
    monkeypatch.setattr(samples, "BEFORE", "a fox")
    monkeypatch.setattr(samples, "AFTER", "a pizza")
    pipeline = make_prompted()
    sheet = samples.draw_sheet(pipeline)
    drawn = pipeline(prompt=["a pizza, in the snow"], generator=generators_from_seeds([2])).images
    side = samples.SIDE
    shown = sheet[-side - 2 :, -side:]
    expected = torch.from_numpy(np.array(drawn[0])).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(expected, side, mode="nearest")[0].permute(1, 2, 0)
    assert sheet.shape[1] >= 3 * side and len(sheet) >= 2 * side
    assert np.abs(shown[:side].mean((0, 1)) - expected.numpy().mean((0, 1))).max() < 4
    assert samples.edit_sheet(pipeline).shape[1] >= 2 * 2 * side  # twice as wide ones below
