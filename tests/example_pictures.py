"""Examples of the page, and faces of its styles: `python -m tests.example_pictures`.

The wishes stand below, with seeds counting up from 1. They were chosen among about 40 that had
been drawn once each; no other seed was tried. The pictures are written to `assets/examples/MODEL`,
with their recipes.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import EMBEDDED_MODEL
from var_core import VARPipeline
from var_core.devices import pick_device, pick_dtype
from var_core.jobs.parsing import count_up
from var_core.jobs.png_recipe import write_png
from var_core.jobs.requests import DrawRequest, Settings
from var_core.serving.local_engine import LocalEngine
from var_core.web.controls import Controls
from var_core.web.examples import examples_folder

SIDE = 128  # pixels of a file, at most
WISHES = (
    {"prompt": ["a fox", "in the snow", "at night"], "style": "noto"},
    {"prompt": ["a strawberry", "on a yellow background"], "style": "fluent-3d"},
    {"prompt": ["a house", "in the mountains", "snow is falling"]},
    {"prompt": ["a steam train", "in an autumn park"], "style": "twemoji"},
    {"prompt": ["a penguin", "a gift", "in the snow"]},
    {"prompt": ["a balloon", "above the clouds", "by day"], "style": "noto"},
    {"prompt": ["a cactus", "in the desert", "by day"], "style": "noto"},
    {"prompt": ["an alien", "on the moon"], "style": "noto"},
)
FACE = {"prompt": ["a fox", "on a white background"]}  # drawn in every style


def write_all(engine: LocalEngine, folder: Path) -> None:
    """Draw all pictures of a model into a folder."""
    controls = Controls(engine.info)
    style = engine.info.labels.attributes[-1]
    for seed, wish in enumerate(WISHES, 1):
        request = count_up(settings(controls, wish, seed), 1)
        write_pictures(engine, request, [folder / f"{seed}.png"])
    for value in style.values:
        request = count_up(settings(controls, {**FACE, style.name: value}, 1), 1)
        write_pictures(engine, request, [folder / style.name / f"{value}.png"])


def settings(controls: Controls, wish: Mapping[str, object], seed: int) -> Settings:
    """The settings of a fresh page, with a wish and a seed."""
    return controls.read({**controls.defaults(), **wish, "seed": seed}).settings


def write_pictures(engine: LocalEngine, request: DrawRequest, paths: Sequence[Path]) -> None:
    """Draw the pictures of a request into files."""
    *_, progress = engine.generate(request)
    drawn = zip(paths, progress.frames[-1], progress.recipes(engine.info), strict=True)
    for path, picture, recipe in drawn:
        picture.thumbnail((SIDE, SIDE))
        write_png(path, picture, recipe)
        print(path)


def main() -> None:
    """Draw them with the embedded model, as the page does."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pipeline = VARPipeline.from_pretrained(EMBEDDED_MODEL, pick_dtype(pick_device()))
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    folder = examples_folder(engine.info.name)
    shutil.rmtree(folder, ignore_errors=True)
    write_all(engine, folder)


if __name__ == "__main__":
    main()
