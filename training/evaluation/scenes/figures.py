"""Measures a model of composed scenes: all figures of its card, with n and 95 % intervals.

`python -m training.evaluation.scenes.figures --model assets/models/scenes256 --data data/scenes
--nets data/nets --judge runs/judge/judge.safetensors --out runs/figures.json`

The file is written after each figure. The same command goes on with those that are missing.
"""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.edit_figures import edit_figure, outpaint_figure
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.judge_network import load_scene_judge
from training.evaluation.scenes.measured_model import Bench, open_pipeline, weights_hash
from training.evaluation.scenes.network_figures import entropy_figure, reconstruction_figure
from training.evaluation.scenes.picture_figures import diversity_figure, frechet_figure
from training.evaluation.scenes.prompt_figures import (
    free_words_figure,
    held_out_figure,
    languages_figure,
    one_thing_figure,
    settings_figure,
    two_things_figure,
)
from training.loop.command_line import Settings, run_command
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.files import sha256_of
from var_core.option_fields import about, option

logger = logging.getLogger(__name__)

FIGURES: dict[str, Callable[[Bench, FiguresFile], dict[str, Any]]] = {
    "a": one_thing_figure,
    "b": two_things_figure,
    "c": held_out_figure,
    "d": languages_figure,
    "e": free_words_figure,
    "f": settings_figure,
    "g": diversity_figure,
    "h": frechet_figure,
    "i": edit_figure,
    "j": outpaint_figure,
    "k": reconstruction_figure,
    "l": entropy_figure,
}


@dataclass(frozen=True, kw_only=True)
class FiguresSettings(Settings):
    """What to measure, and with what."""

    out_is_file = True

    data: str = field(metadata=about("folder of training.prepare.scenes"))
    judge: str = field(metadata=about("safetensors file of training.evaluation.scenes.judge"))
    out: str = field(metadata=about("JSON file to write, or to go on with"))
    model: str = option("", "model folder")
    tokenizer: str = option("", "tokenizer folder, with --transformer in place of --model")
    transformer: str = option("", "transformer folder")
    nets: str = option("data/nets", "folder of training.prepare.nets")
    only: str = option("", "letters of the figures to make, as a,b,k; none stands for all")
    limit: int = option(0, "largest number of cases of a figure; 0: no limit", low=0)
    precision: str = option("auto", "numbers of the networks", choices=PRECISIONS)


def chosen_letters(only: str) -> list[str]:
    """The letters of the figures to make, in the order of the alphabet.

    Raises:
        ValueError: if there is no such figure.
    """
    asked = {letter.strip() for letter in only.split(",") if letter.strip()} or set(FIGURES)
    if unknown := sorted(asked - set(FIGURES)):
        raise ValueError(f"the figures are {', '.join(FIGURES)}, not {', '.join(unknown)}")
    return sorted(asked)


def write_figures(settings: FiguresSettings) -> None:
    """Make the figures that are missing, and print all that were asked for.

    Raises:
        ValueError: if model, scenes, nets or judge cannot be used, or the file holds figures of
            something else.
        OSError: if the file cannot be written.
    """
    letters = chosen_letters(settings.only)
    device = pick_device()
    dtype = pick_dtype(device, settings.precision)
    parts = settings.model, settings.tokenizer, settings.transformer
    pictures = ScenePictures.open(settings.data)
    pipeline = open_pipeline(*parts, pictures, dtype).to(device)
    judge = load_scene_judge(settings.judge).to(device)
    bench = Bench(pipeline, judge, pictures, Path(settings.nets), settings.limit)
    depends_on = {
        "weights": weights_hash(*parts),
        "judge": sha256_of(Path(settings.judge))[:16],
        "numbers": str(dtype).removeprefix("torch."),
        "limit": settings.limit,
        "options": asdict(pipeline.info.options),
    }
    make_figures(bench, FiguresFile(Path(settings.out), depends_on), letters)


def make_figures(bench: Bench, file: FiguresFile, letters: list[str]) -> None:
    """Make each figure that the file lacks, write the file, print the figure."""
    for letter in letters:
        if letter not in file.figures:
            logger.info("figure %s", letter)
            file.add_figure(letter, FIGURES[letter](bench, file))
        print(f"{letter}: {json.dumps(file.figures[letter])}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_figures, FiguresSettings, "Measure a model of scenes.", argv)


if __name__ == "__main__":
    sys.exit(main())
