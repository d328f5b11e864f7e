"""Make what moving scenes are made of: `python -m training.prepare.motion --out data/motion`.

Scenes move by themselves: `training/data/motion` needs no more than the sprites of
`training.prepare.scenes`. This adds the vectors of phrases about motions, and animated sprites.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.data.motion.animated_sprites import PACKAGES, animations_of, write_animated
from training.data.motion.clips import ANIMATED, SIDE, SIDES, write_about
from training.data.motion.phrases import motion_phrases
from training.data.npm_packages import fetch_package
from training.data.scenes.atlas import read_table
from training.data.scenes.phrase_vectors import INDEX_FILE, VECTORS_FILE, write_phrase_vectors
from training.loop.command_line import Settings, run_command
from var_core.option_fields import option
from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder


@dataclass(frozen=True, kw_only=True)
class MotionSettings(Settings):
    """Where to read and to write."""

    scenes: str = option("data/scenes", "folder of training.prepare.scenes")
    out: str = option("data/motion", "folder to write; packages are kept in it")
    side: int = option(SIDE, "side of the frames in pixels", low=SIDES[0], high=SIDES[1])
    animated: bool = option(True, "fetch animated sprites, 730 MB")


def prepare(settings: MotionSettings) -> None:
    """Write the vectors of phrases and the animated sprites.

    Raises:
        ValueError: if the scenes are missing, a package cannot be had, or the encoder is missing.
        OSError: if the folder cannot be written.
    """
    scenes, out = Path(settings.scenes), Path(settings.out)
    table = read_table(scenes)
    encoder = UniversalSentenceEncoder()
    out.mkdir(parents=True, exist_ok=True)
    for name in (VECTORS_FILE, INDEX_FILE):  # vectors that are there need not be made again
        if (scenes / name).is_file() and not (out / name).exists():
            shutil.copyfile(scenes / name, out / name)

    def encode(texts: Sequence[str]) -> np.ndarray:
        return encoder.encode(texts).numpy()

    num_phrases = write_phrase_vectors(out, motion_phrases(table), encode, encoder.name)
    write_about(out, scenes, settings.side)
    print(f"{num_phrases} phrases are in {out}")
    if settings.animated:
        packages = out / "packages"
        packages.mkdir(exist_ok=True)
        archives = (fetch_package(package, packages) for package in PACKAGES)
        found = chain.from_iterable(animations_of(archive, table.things) for archive in archives)
        entries = json.loads((scenes / "sprites.json").read_text(encoding="utf-8"))["things"]
        number = write_animated(out / ANIMATED, entries, tqdm(found, unit="animation"))
        print(f"{number} animated things are in {out / ANIMATED}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, MotionSettings, "Make what moving scenes are made of.", argv)


if __name__ == "__main__":
    sys.exit(main())
