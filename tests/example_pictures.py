"""Examples of the page, and faces of its styles: `python -m tests.example_pictures`.

The wishes stand below, with seeds counting up from 1; each picture is the first try. They are
written to `assets/examples/MODEL`, with their recipes.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import EMBEDDED_MODEL
from var_core import VARPipeline
from var_core.jobs.parsing import count_up
from var_core.jobs.png_recipe import write_png
from var_core.jobs.requests import DrawRequest, Settings
from var_core.serving.local_engine import LocalEngine
from var_core.web.controls import Controls
from var_core.web.examples import examples_folder

SIDE = 128  # pixels of a file, at most
WISHES = (
    {"emoji": "fox", "style": "noto"},
    {"emoji": "red apple", "style": "fluent-3d"},
    {"emoji": "penguin", "style": "twemoji"},
    {"emoji": "hot beverage", "style": "fluent-flat"},
    {"emoji": "tropical fish", "style": "fluent-3d"},
    {"emoji": "cactus", "style": "emojitwo"},
    {"category": "animal-bird"},
    {"emoji": "grinning face", "style": "fxemoji"},
)
FACE = {"emoji": "fox"}  # drawn in every style


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
    """Draw them with the embedded model."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pipeline = VARPipeline.from_pretrained(EMBEDDED_MODEL)
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    folder = examples_folder(engine.info.name)
    shutil.rmtree(folder, ignore_errors=True)
    write_all(engine, folder)


if __name__ == "__main__":
    main()
