"""The sample sheets are drawn by a fixed rule."""

from pathlib import Path

import torch
from PIL import Image

from training.evaluation import samples
from var_core import VARPipeline
from var_core.labels import Label

SHEETS = ("category_by_style.png", "editing.png", "emoji_by_style.png", "scales.png")


def test_sheets_are_drawn_by_a_fixed_rule(pipeline: VARPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    words = ["--model", str(tmp_path / "model"), "--out", str(tmp_path / "sheets")]
    assert samples.main(words) == 0
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {*SHEETS, "README.md"}
    side, num_scales = pipeline.image_shape[0], pipeline.transformer.schedule.num_scales
    with Image.open(tmp_path / "sheets" / "scales.png") as sheet:
        assert sheet.size == (num_scales * side, 4 * side)
    with Image.open(tmp_path / "sheets" / "emoji_by_style.png") as sheet:
        assert sheet.size == (3 * side, 4 * side)


def test_the_same_labels_are_drawn_and_look_the_same(pipeline: VARPipeline) -> None:
    names = pipeline.labels.attributes[1].values
    chosen = samples.first_names(names, 3)
    assert chosen == samples.first_names(names, 3) and len(set(chosen)) == 3
    labels: list[Label] = [{"emoji": name} for name in chosen]
    assert torch.equal(samples.draw(pipeline, labels), samples.draw(pipeline, labels))
