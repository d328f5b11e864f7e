"""Draws the sample sheets of a model of scenes.

Run: python -m training.evaluation.scenes.samples --model assets/models/scenes256 --out DIR

Nothing is chosen by hand: prompts are the list below, seeds count up from 0, options are the
defaults.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.evaluation.scenes.edit_figures import first_image
from training.evaluation.sheets import SheetRow, captioned_sheet
from training.loop.command_line import Settings, run_command
from var_core.devices import pick_device, pick_dtype
from var_core.editing import Margins
from var_core.images import tensor_to_images, uint8_to_tensor
from var_core.option_fields import about
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

SEEDS = range(8)
EDIT_SEEDS = range(4)
SIDE = 128  # pixels of a picture on a sheet
PROMPTS = (
    "a fox, in the snow, at night",
    "ein Fuchs, im Schnee, nachts",
    "a fox, a pizza",
    "a rocket, in space",
    "a house, a tree, at sunset",
    "an elephant, on the beach",
    "a car, in the city, at night, rain",
    "two apples, on a white background",
)
BEFORE, AFTER = "an apple, on the grass, by day", "a cat"
BOX = (0.2, 0.3, 0.9, 1.0)  # left, top, right and bottom of what is masked, in parts of a side


@dataclass(frozen=True, kw_only=True)
class SceneSamplesSettings(Settings):
    """What to draw with, and where to write."""

    model: str = field(metadata=about("folder of the model"))
    out: str = field(metadata=about("folder for the pictures"))


def draw_sheet(pipeline: VARPipeline) -> np.ndarray:
    """A row for each prompt, a column for each seed: (H, W, 3) uint8."""
    return captioned_sheet(
        [SheetRow(prompt, shrunk(draw(pipeline, prompt, SEEDS))) for prompt in PROMPTS]
    )


def edit_sheet(pipeline: VARPipeline) -> np.ndarray:
    """Drawings, their masked box with another prompt, and both sides drawn on: (H, W, 3) uint8."""
    before = draw(pipeline, BEFORE, EDIT_SEEDS)
    mask = np.zeros(before.shape[2:], bool)
    left, top, right, bottom = (round(part * len(mask)) for part in BOX)
    mask[top:bottom, left:right] = True
    margins = Margins(left=len(mask) // 2, right=len(mask) // 2)
    edited, wide = [], []
    for seed, source in zip(EDIT_SEEDS, tensor_to_images(before), strict=True):
        generators = generators_from_seeds([seed], pipeline.device)
        drawn = pipeline.edit(source, mask, prompt=[[AFTER]], generator=generators)
        edited.append(np.asarray(first_image(drawn.images)))
        generators = generators_from_seeds([seed], pipeline.device)
        drawn = pipeline.outpaint(source, margins, generator=generators)
        wide.append(np.asarray(first_image(drawn.images)))
    rows = {
        BEFORE: before,
        "masked": before.masked_fill(torch.from_numpy(mask), 1.0),
        AFTER: uint8_to_tensor(np.stack(edited)),
        "both sides drawn on": uint8_to_tensor(np.stack(wide)),
    }
    return captioned_sheet([SheetRow(title, shrunk(images)) for title, images in rows.items()])


def draw(pipeline: VARPipeline, prompt: str, seeds: range) -> Tensor:
    """Drawings of one prompt: (N, 3, H, W) in [-1, 1]."""
    generators = generators_from_seeds(seeds, pipeline.device)
    drawn = pipeline(prompt=[prompt] * len(seeds), generator=generators, output_type="pt").images
    return torch.as_tensor(drawn).float().cpu() * 2 - 1


def shrunk(images: Tensor) -> Tensor:
    """Pictures as high as they are shown: (N, 3, H, W) -> (N, 3, 128, W * 128 / H)."""
    factor = SIDE / images.shape[2]
    return torch.nn.functional.interpolate(images, scale_factor=factor, mode="area")


def write_samples(settings: SceneSamplesSettings) -> None:
    """Write both sheets as JPEG.

    Raises:
        ValueError: if the model cannot be used.
        OSError: if the folder cannot be written.
    """
    device = pick_device()
    pipeline = VARPipeline.from_pretrained(settings.model, pick_dtype(device)).to(device)
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, make in (("scenes", draw_sheet), ("scenes_edited", edit_sheet)):
        Image.fromarray(make(pipeline)).save(out / f"{name}.jpg", quality=90)
        print(out / f"{name}.jpg")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_samples, SceneSamplesSettings, "Draw samples of scenes.", argv)


if __name__ == "__main__":
    sys.exit(main())
