"""Draws the sample sheets.

Run: python -m training.samples --model assets/models/emoji64 --out assets/samples

Nothing is picked by hand: labels are fixed by a rule, seeds count up from 0, options are the
defaults.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.config import parse_config
from training.sheets import save_sheet
from var_core.labels import Label
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

SHEET_SEED = 0
NUM_ROWS = 8


@dataclass(frozen=True)
class SamplesConfig:
    """What to draw with."""

    model: str = field(metadata={"help": "folder of the model"})
    out: str = field(metadata={"help": "folder for the PNG files"})


def draw(pipeline: VARPipeline, labels: list[Label]) -> Tensor:
    """Pictures with seeds 0, 1, 2, ...: (N, 3, H, W) in [-1, 1]."""
    generators = generators_from_seeds(range(len(labels)))
    return pipeline(labels, generator=generators, output_type="pt").images * 2 - 1


def draw_scales(pipeline: VARPipeline, labels: list[Label]) -> list[Tensor]:
    """One row per label: the picture after each scale, (K, 3, H, W) in [-1, 1]."""
    generators = generators_from_seeds(range(len(labels)))
    previews = list(pipeline.stream(labels, generator=generators, output_type="pt"))
    return list(torch.stack([preview.images * 2 - 1 for preview in previews], dim=1))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    config = parse_config(SamplesConfig, argv, "Draw the sample sheets.")
    try:
        pipeline = VARPipeline.from_pretrained(config.model)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    category, emoji, style = pipeline.labels.attributes
    order = np.random.default_rng(SHEET_SEED).permutation(len(emoji.values))
    chosen = [emoji.values[index] for index in order[:NUM_ROWS]]
    some = np.random.default_rng(SHEET_SEED).permutation(len(category.values))[:NUM_ROWS]
    folder = Path(config.out)
    scales = [{"emoji": name, "style": style.values[0]} for name in chosen[:4]]
    save_sheet(folder / "scales.png", draw_scales(pipeline, scales))
    for name, labels in (
        ("emoji_by_style", [[{"emoji": e, "style": s} for s in style.values] for e in chosen]),
        (
            "category_by_style",
            [[{"category": category.values[c], "style": s} for s in style.values] for c in some],
        ),
    ):
        flat = draw(pipeline, [label for row in labels for label in row])
        save_sheet(folder / f"{name}.png", list(flat.split(len(style.values))))
    lines = [
        "# Samples",
        "",
        "Made by `python -m training.samples --model assets/models/emoji64 --out assets/samples`:",
        "default options, seeds counting up from 0, labels drawn by a fixed rule.",
        "",
        f"- `scales.png`: {', '.join(chosen[:4])} in {style.values[0]}, after each scale.",
        f"- `emoji_by_style.png`: a row for each of {', '.join(chosen)};",
        f"  a column for each of {', '.join(style.values)}.",
        "- `category_by_style.png`: the emoji left open; a row for each of "
        f"{', '.join(category.values[c] for c in some)}; columns as above.",
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
