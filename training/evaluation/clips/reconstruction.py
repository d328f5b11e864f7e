"""How well a tokenizer of clips rebuilds moving scenes, as a command.

python -m training.evaluation.clips.reconstruction --tokenizer FOLDER --scenes data/scenes
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training.data.motion import make_clip
from training.data.scenes import SceneRenderer, SpriteTable, read_table
from training.data.scenes.making import VALIDATION_SEED
from training.evaluation.clips.figures import flicker, liveliness, psnr_by_frame
from training.loop.command_line import Settings, run_command
from training.tokenizer.reconstruction import rebuild
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device
from var_core.option_fields import about, option
from var_core.tokenizer import MultiScaleVQVAE

AT_ONCE = 4  # clips


@dataclass(frozen=True, kw_only=True)
class ClipFigureSettings(Settings):
    """What to measure, and on how many clips."""

    tokenizer: str = field(metadata=about("folder of a tokenizer of clips"))
    scenes: str = option("data/scenes", "folder of training.prepare.scenes")
    count: int = option(128, "clips that training never shows", low=1, high=4096)


def validation_clips(table: SpriteTable, side: int, frames: int, count: int) -> Iterator[Tensor]:
    """Moving scenes that training never shows, a few at once, (B, 3, F, side, side) in [-1, 1]."""
    renderer = SceneRenderer(table)
    for start in range(0, count, AT_ONCE):
        clips = [
            renderer.render(make_clip(table, VALIDATION_SEED, index).frames(table)[:frames], side)
            for index in range(start, min(start + AT_ONCE, count))
        ]
        yield torch.stack(clips).transpose(1, 2)


@torch.inference_mode()
def clip_figures(
    tokenizer: MultiScaleVQVAE, table: SpriteTable, count: int
) -> dict[str, float | list[float]]:
    """Measure a tokenizer on moving scenes.

    Args:
        tokenizer: one of clips.
        table: the sprites.
        count: number of clips.

    Returns:
        `psnr` of all frames and `psnr_by_frame`, in dB; `flicker`, the mean change between frames
        where the scene has none, of 255; `liveliness` of rebuilt clips and `real_liveliness` of
        the scenes, the mean change everywhere.

    Raises:
        ValueError: if the tokenizer is none of clips, or of longer ones or of other pictures.
    """
    side, width = tokenizer.image_shape
    frames = tokenizer.num_frames
    if frames == 1 or side != width:
        raise ValueError("a tokenizer of square clips is needed")
    rows: list[tuple[Tensor, ...]] = []
    batches = validation_clips(table, side, frames, count)
    for real in tqdm(batches, desc="rebuilding", total=-(-count // AT_ONCE)):
        if real.shape[2] < frames:
            raise ValueError(f"scenes move for {real.shape[2]} frames, the clips have {frames}")
        made = rebuild(tokenizer, real.to(tokenizer.device))[0].cpu()
        steady = flicker(made, real)
        rows.append((psnr_by_frame(made, real), steady, liveliness(made), liveliness(real)))
    psnr, steady, lively, real_lively = (torch.cat(one) for one in zip(*rows, strict=True))
    return {
        "psnr": psnr.mean().item(),
        "psnr_by_frame": psnr.mean(dim=0).tolist(),
        "flicker": steady.mean().item(),
        "liveliness": lively.mean().item(),
        "real_liveliness": real_lively.mean().item(),
    }


def measure(settings: ClipFigureSettings) -> None:
    """Print the figures as JSON.

    Raises:
        ValueError: if tokenizer or scenes cannot be used.
    """
    table = read_table(Path(settings.scenes))
    tokenizer = load_tokenizer(settings.tokenizer)
    nn.Module.to(tokenizer, pick_device())  # in place
    figures: dict[str, Any] = clip_figures(tokenizer, table, settings.count)
    print(json.dumps(figures, indent=1))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(measure, ClipFigureSettings, "Measure a tokenizer of clips.", argv)


if __name__ == "__main__":
    sys.exit(main())
