"""Draws the sample clips of a model of moving scenes, side by side in one animation.

Run: python -m training.evaluation.clips.samples --model assets/models/clips64 --out FOLDER

Nothing is chosen by hand: prompts are the list below, seeds count up from 0, options are the
defaults.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from training.loop.command_line import Settings, run_command
from var_core.clip_pipeline import VARClipPipeline
from var_core.devices import pick_device, pick_dtype
from var_core.jobs.contact_sheet import labelled_sheet
from var_core.model_info import FRAMES_PER_SECOND
from var_core.option_fields import about
from var_core.sampling import generators_from_seeds

FILE = "clips.webp"
SEEDS = range(4)
QUALITY = 85  # of the animation, which would be large pixel for pixel
PROMPTS = (
    "a rocket flying up, at night",
    "a cat jumping, on the grass",
    "ein Fuchs springt, im Schnee",
    "an apple falling, on a white background",
    "a car sliding to the right, in the city",
    "a whale growing, in the sea",
)


@dataclass(frozen=True, kw_only=True)
class ClipSamplesSettings(Settings):
    """What to draw with, and where to write."""

    model: str = field(metadata=about("folder of the model"))
    out: str = field(metadata=about("folder for the animation"))


def sample_frames(
    pipeline: VARClipPipeline, prompts: Sequence[str] = PROMPTS, seeds: range = SEEDS
) -> list[Image.Image]:
    """A row of clips for each prompt, a column for each seed, as frames of one animation."""
    clips: list[list[Image.Image]] = []
    for prompt in prompts:
        generators = generators_from_seeds(seeds, pipeline.device)
        made = pipeline.animate(prompt=[prompt] * len(seeds), generator=generators)
        clips += made.clips
    columns = [f"seed {seed}" for seed in seeds]
    return [labelled_sheet(frames, prompts, columns) for frames in zip(*clips, strict=True)]


def write_samples(settings: ClipSamplesSettings) -> None:
    """Write the animation as WebP.

    Raises:
        ValueError: if the model cannot be used.
        OSError: if the folder cannot be written.
    """
    device = pick_device()
    pipeline = VARClipPipeline.from_pretrained(settings.model, pick_dtype(device)).to(device)
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    first, *rest = sample_frames(pipeline)
    shown = 1000 // FRAMES_PER_SECOND  # milliseconds
    how = {"append_images": rest, "duration": shown, "loop": 0, "quality": QUALITY}
    first.save(out / FILE, save_all=True, method=4, **how)
    print(out / FILE)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_samples, ClipSamplesSettings, "Draw sample clips.", argv)


if __name__ == "__main__":
    sys.exit(main())
