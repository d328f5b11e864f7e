"""Draws the sample sheets.

Run: python -m training.evaluation.samples --model assets/models/emoji64 --out assets/samples

Nothing is chosen by hand: labels follow a fixed rule, seeds count up from 0, options are the
defaults.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from training.evaluation.sheets import save_sheet
from training.loop.command_line import Settings, run_command
from var_core.editing import Margins
from var_core.labels import Label
from var_core.option_fields import about
from var_core.outputs import VARPipelineOutput
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

SHEET_SEED = 0
NUM_ROWS = 8
COLUMNS = 120  # characters in a line of README.md


@dataclass(frozen=True, kw_only=True)
class SamplesSettings(Settings):
    """What to draw with, and where to write."""

    model: str = field(metadata=about("folder of the model"))
    out: str = field(metadata=about("folder for the PNG files"))


def draw(pipeline: VARPipeline, labels: list[Label]) -> Tensor:
    """Drawings with seeds 0, 1, 2, ...: (N, 3, H, W) in [-1, 1]."""
    generators = generators_from_seeds(range(len(labels)))
    drawn = pipeline(labels, generator=generators, output_type="pt").images
    return torch.as_tensor(drawn) * 2 - 1


def draw_scales(pipeline: VARPipeline, labels: list[Label]) -> list[Tensor]:
    """One row per label: the picture after each scale, (K, 3, H, W) in [-1, 1]."""
    generators = generators_from_seeds(range(len(labels)))
    previews = list(pipeline.stream(labels, generator=generators, output_type="pt"))
    latents = [preview.latent for preview in previews if preview.latent is not None]
    decoded = [pipeline.decode_latent(latent) for latent in latents]
    return list(torch.stack(decoded, dim=1))


EDIT_COLUMNS = (
    "picture",
    "mask",
    "redrawn, any label",
    "redrawn, own label",
    "class edit",
    "out-painted by half",
    "varied from scale 3",
)


def edit_rows(pipeline: VARPipeline, labels: list[Label]) -> list[list[Image.Image]]:
    """One row per label, one picture per entry of `EDIT_COLUMNS`; first seeds throughout."""
    height, width = pipeline.image_shape
    mask = np.zeros((height, width), bool)
    mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    rows = []
    for seed, label in enumerate(labels):
        other = labels[(seed + 1) % len(labels)]

        def seeded(chosen: Label, seed: int = seed) -> dict[str, Any]:
            return {"class_labels": [chosen], "generator": generators_from_seeds([seed])}

        picture = first_image(pipeline(**seeded(label)))
        shown = np.array(picture)
        shown[mask] = (255, 0, 128)
        rows.append(
            [
                picture,
                Image.fromarray(shown),
                first_image(pipeline.edit(picture, mask, **seeded(None))),
                first_image(pipeline.edit(picture, mask, **seeded(label))),
                first_image(pipeline.edit(picture, mask, **seeded(other))),
                first_image(pipeline.outpaint(picture, Margins(right=width // 2), **seeded(label))),
                first_image(pipeline.vary(picture, 3, **seeded(other))),
            ]
        )
    return rows


def first_image(output: VARPipelineOutput) -> Image.Image:
    """The first picture of an output with PIL pictures."""
    assert isinstance(output.images, list)
    return output.images[0]


def save_edit_sheet(path: Path, rows: list[list[Image.Image]]) -> None:
    """Write the rows, enlarged, with the names of the columns above them."""
    zoom, gap, head = 2, 8, 22
    widths = [zoom * image.width for image in rows[0]]
    height = zoom * rows[0][0].height
    total = (sum(widths) + gap * (len(widths) + 1), head + (height + gap) * len(rows))
    sheet, font = Image.new("RGB", total, "white"), ImageFont.load_default(12)
    pen = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        left = gap
        for caption, image, width in zip(EDIT_COLUMNS, row, widths, strict=True):
            if number == 0:
                pen.text((left, 4), caption, fill="black", font=font)
            large = image.resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(large, (left, head + number * (height + gap)))
            left += width + gap
    sheet.save(path)


def write_samples(settings: SamplesSettings) -> None:
    """Draw all sheets, and a README.md that says what they show.

    Raises:
        ValueError: if the model cannot be used.
        OSError: if the folder cannot be written.
    """
    pipeline = VARPipeline.from_pretrained(settings.model)
    folder = Path(settings.out)
    category, emoji, style = pipeline.labels.attributes
    names = first_names(emoji.values, NUM_ROWS)
    groups = first_names(category.values, NUM_ROWS)
    scales: list[Label] = [{"emoji": name, "style": style.values[0]} for name in names[:4]]
    save_sheet(folder / "scales.png", draw_scales(pipeline, scales))
    save_edit_sheet(folder / "editing.png", edit_rows(pipeline, scales))
    for file, attribute, values in (
        ("emoji_by_style.png", "emoji", names),
        ("category_by_style.png", "category", groups),
    ):
        labels: list[Label] = [{attribute: v, "style": s} for v in values for s in style.values]
        save_sheet(folder / file, list(draw(pipeline, labels).split(len(style.values))))
    text = describe_samples(names, groups, style.values)
    (folder / "README.md").write_text(text)


def first_names(values: Sequence[str], count: int) -> list[str]:
    """The first values in an order that is shuffled by a fixed seed."""
    order = np.random.default_rng(SHEET_SEED).permutation(len(values))
    return [values[int(index)] for index in order[:count]]


def describe_samples(names: Sequence[str], groups: Sequence[str], styles: Sequence[str]) -> str:
    """Text of the README.md beside the sheets."""
    command = "python -m training.evaluation.samples --model assets/models/emoji64"
    sheets = (
        f"`scales.png`: {', '.join(names[:4])} in {styles[0]}, after each scale.",
        "`editing.png`: the same labels, edited. Columns: the picture; its mask; the box redrawn "
        "with any label, with its own, with the next one (class edit); 32 pixels added; scales 1 "
        "to 3 kept and the rest drawn with the next label.",
        f"`emoji_by_style.png`: a row for each of {', '.join(names)}; "
        f"a column for each of {', '.join(styles)}.",
        "`category_by_style.png`: the emoji left open; a row for each of "
        f"{', '.join(groups)}; columns as above.",
    )
    made = (
        f"Made by `{command} --out assets/samples` with default options. Seeds count up from 0, "
        "labels are drawn by a fixed rule."
    )
    items = [_wrapped(f"- {sheet}") for sheet in sheets]
    return "\n".join(["# Samples", "", _wrapped(made), "", *items]) + "\n"


def _wrapped(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    return fill(text, COLUMNS, subsequent_indent=indent, break_on_hyphens=False)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_samples, SamplesSettings, "Draw the sample sheets.", argv)


if __name__ == "__main__":
    sys.exit(main())
