"""Draws the sample sheets of a model of scenes.

`python -m training.evaluation.scenes.samples --model assets/models/scenes256 --out DIR`

Nothing is chosen by hand: prompts are the lists below, seeds count up from 0, options are the
defaults.
"""

import sys
from collections.abc import Callable, Sequence
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
from var_core.labels import Label
from var_core.option_fields import about
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

SEEDS = range(8)
WIDE_SEEDS = range(4)  # pictures that become twice as wide
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
SCALE_PROMPTS = (PROMPTS[0], *PROMPTS[3:6])
STYLE_PROMPTS = (
    "a fox, in the snow",
    "a panda",
    "a rocket, in space",
    "a house, a tree",
    "an elephant, on the beach",
    "a car, in the city",
    "a strawberry",
    "a birthday cake",
)
LANGUAGES = {  # one prompt, in words of the lists that training draws from
    "English": "a fox, in the snow, at night",
    "Arabic": "وجه ثعلب، في الثلج، في الليل",
    "Chinese": "狐狸, 在雪地里, 晚上",
    "Chinese, traditional": "狐狸, 在雪地裡, 夜晚",
    "Dutch": "een vos, in de sneeuw, 's nachts",
    "French": "un renard, dans la neige, la nuit",
    "German": "ein Fuchs, im Schnee, nachts",
    "Italian": "una volpe, nella neve, di notte",
    "Japanese": "狐、雪の中、夜に",
    "Korean": "여우, 눈 속에서, 밤에",
    "Polish": "głowa lisa, w śniegu, w nocy",
    "Portuguese": "uma raposa, na neve, à noite",
    "Russian": "лиса, в снегу, ночью",
    "Spanish": "un zorro, en la nieve, de noche",
    "Thai": "จิ้งจอก, ในหิมะ, ตอนกลางคืน",
    "Turkish": "tilki, karda, geceleyin",
}
BEFORE, AFTER = "an apple, on the grass, by day", "a cat"
BOX = (0.2, 0.3, 0.9, 1.0)  # left, top, right and bottom of what is masked, in parts of a side
KEPT, VARIED = 4, "a tomato"  # scales that a variation keeps, and what else it is asked for


@dataclass(frozen=True, kw_only=True)
class SceneSamplesSettings(Settings):
    """What to draw with, and where to write."""

    model: str = field(metadata=about("folder of the model"))
    out: str = field(metadata=about("folder for the pictures"))


def seeds_sheet(pipeline: VARPipeline) -> np.ndarray:
    """A row for each prompt, a column for each seed: (H, W, 3) uint8."""
    rows = {prompt: draw(pipeline, [prompt] * len(SEEDS), SEEDS) for prompt in PROMPTS}
    return sheet_of(rows)


def scales_sheet(pipeline: VARPipeline) -> np.ndarray:
    """A row for each prompt, a column for each scale, decoded up to there: (H, W, 3) uint8."""
    generators = generators_from_seeds([0] * len(SCALE_PROMPTS), pipeline.device)
    steps = pipeline.stream(prompt=list(SCALE_PROMPTS), generator=generators, output_type="pt")
    latents = [step.latent for step in steps if step.latent is not None]
    scales = torch.stack([pipeline.decode_latent(one).float().cpu() for one in latents], dim=1)
    return sheet_of(dict(zip(SCALE_PROMPTS, scales, strict=True)))


def styles_sheet(pipeline: VARPipeline) -> np.ndarray:
    """A row for each style, a column for each prompt, all of the first seed: (H, W, 3) uint8."""
    prompts, seeds = STYLE_PROMPTS, [0] * len(STYLE_PROMPTS)
    attribute = pipeline.labels.attributes[0]
    rows = {
        style: draw(pipeline, prompts, seeds, {attribute.name: style}) for style in attribute.values
    }
    return sheet_of(rows, prompts)


def languages_sheet(pipeline: VARPipeline) -> np.ndarray:
    """One prompt in all languages, of the first seed, eight in a row: (H, W, 3) uint8."""
    names, width = list(LANGUAGES), len(SEEDS)
    drawn = shrunk(draw(pipeline, list(LANGUAGES.values()), [0] * len(names)))
    return captioned_sheet(
        [
            SheetRow(PROMPTS[0], drawn[start : start + width], names[start : start + width])
            for start in range(0, len(names), width)
        ]
    )


def edit_sheet(pipeline: VARPipeline) -> np.ndarray:
    """Drawings, and what each way to edit makes of them: (H, W, 3) uint8."""
    before = draw(pipeline, [BEFORE] * len(SEEDS), SEEDS)
    mask = np.zeros(before.shape[2:], bool)
    left, top, right, bottom = (round(part * len(mask)) for part in BOX)
    mask[top:bottom, left:right] = True
    margins = Margins(left=len(mask) // 2, right=len(mask) // 2)
    edited, varied, wide = [], [], []
    for seed, source in zip(SEEDS, tensor_to_images(before), strict=True):

        def dice(seed: int = seed) -> list[torch.Generator]:
            return generators_from_seeds([seed], pipeline.device)

        drawn = pipeline.edit(source, mask, prompt=[[AFTER]], generator=dice())
        edited.append(np.asarray(first_image(drawn.images)))
        drawn = pipeline.vary(source, KEPT, prompt=[[VARIED]], generator=dice())
        varied.append(np.asarray(first_image(drawn.images)))
        if seed in WIDE_SEEDS:
            drawn = pipeline.outpaint(source, margins, generator=dice())
            wide.append(np.asarray(first_image(drawn.images)))
    rows = {
        BEFORE: before,
        "masked": before.masked_fill(torch.from_numpy(mask), 1.0),
        AFTER: uint8_to_tensor(np.stack(edited)),
        f"{KEPT} scales kept, {VARIED}": uint8_to_tensor(np.stack(varied)),
        "both sides drawn on": uint8_to_tensor(np.stack(wide)),
    }
    return sheet_of(rows)


def draw(
    pipeline: VARPipeline, prompts: Sequence[str], seeds: Sequence[int], label: Label = None
) -> Tensor:
    """A drawing of each prompt, all with one label: (N, 3, H, W) in [-1, 1]."""
    generators = generators_from_seeds(seeds, pipeline.device)
    labels = [label] * len(prompts)
    drawn = pipeline(labels, prompt=list(prompts), generator=generators, output_type="pt").images
    return torch.as_tensor(drawn).float().cpu() * 2 - 1


def sheet_of(rows: dict[str, Tensor], captions: Sequence[str] = ()) -> np.ndarray:
    """Rows of pictures (N, 3, H, W) by their titles, with captions below each row's."""
    return captioned_sheet([SheetRow(title, shrunk(row), captions) for title, row in rows.items()])


def shrunk(images: Tensor) -> Tensor:
    """Pictures as high as they are shown: (N, 3, H, W) -> (N, 3, 128, W * 128 / H)."""
    factor = SIDE / images.shape[2]
    return torch.nn.functional.interpolate(images, scale_factor=factor, mode="area")


SHEETS: dict[str, Callable[[VARPipeline], np.ndarray]] = {
    "scenes": seeds_sheet,
    "scales": scales_sheet,
    "styles": styles_sheet,
    "languages": languages_sheet,
    "editing": edit_sheet,
}


def write_samples(settings: SceneSamplesSettings) -> None:
    """Write all sheets as JPEG.

    Raises:
        ValueError: if the model cannot be used.
        OSError: if the folder cannot be written.
    """
    device = pick_device()
    pipeline = VARPipeline.from_pretrained(settings.model, pick_dtype(device)).to(device)
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, make in SHEETS.items():
        Image.fromarray(make(pipeline)).save(out / f"{name}.jpg", quality=90)
        print(out / f"{name}.jpg")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_samples, SceneSamplesSettings, "Draw samples of scenes.", argv)


if __name__ == "__main__":
    sys.exit(main())
