"""VAR, next tokens of a raster, and diffusion: the same scenes, blocks, sizes and steps."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from training.data.scenes.pictures import ScenePictures
from training.loop.command_line import run_command
from training.loop.footprint import count_parameters
from training.loop.stop_signals import StopFlag
from training.study.diffusion_run import DiffusionRun, SceneLatents
from training.study.drawing_costs import drawing_costs
from training.study.held_back import open_scenes
from training.study.jobs import fill, run_to_point, studying, train_to_end
from training.study.points_file import PointsFile, forget_checkpoints
from training.study.raster_run import RasterRun
from training.study.settings import RivalSettings
from training.study.sized_run import SizedRun
from training.study.sizes import Size, count_outside_tables
from training.tokenizer.run import TokenizerRun
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.settings import TransformerSettings
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE

METHODS = ("var", "raster", "diffusion")
PYRAMID, RASTER = "pyramid-tokenizer", "raster-tokenizer"
POINTS_FILE = "rivals.json"
LARGEST_DIFFERENCE = 0.03  # of the parameters of a method from those of VAR

RivalRun = SizedRun | RasterRun | DiffusionRun


class SceneTokenizerRun(TokenizerRun):
    """Trains a tokenizer on scenes of another side than a data folder opens with."""

    def count_flops(self) -> int:
        """Nobody knows them here."""
        return 0


@dataclass(frozen=True)
class Rival:
    """A method at a size."""

    method: str
    size: Size

    @property
    def name(self) -> str:
        """Name of its point and of its folder."""
        return f"{self.method}-d{self.size.depth:02d}"

    @property
    def tokenizer(self) -> str:
        """Folder of its tokenizer; diffusion shares encoder and decoder of VAR."""
        return RASTER if self.method == "raster" else PYRAMID


def rivals_of(settings: RivalSettings) -> list[Rival]:
    """All methods at all sizes, small ones first."""
    return [Rival(method, size) for size in settings.sizes for method in METHODS]


def compare_rivals(settings: RivalSettings) -> None:
    """Do what is left of a comparison.

    Raises:
        ValueError: if the data or an earlier comparison in the folder do not fit.
        OSError: if something cannot be written.
    """
    settings = settings.resolved()
    with studying(settings) as stop:
        points = PointsFile(Path(settings.out) / POINTS_FILE, settings.about)
        if not all(step(settings, points, stop) for step in (make_tokenizers, train_rivals)):
            print("stopped; the same command goes on from here")


def make_tokenizers(settings: RivalSettings, points: PointsFile, stop: StopFlag) -> bool:
    """Train both tokenizers alike and fill their pools; returns whether all is there."""
    scenes = open_scenes(settings.data, side_of(settings))
    for name, sides in ((PYRAMID, settings.sides), (RASTER, settings.sides[-1:])):
        folder = Path(settings.out) / name
        if f"{name} is done" not in points.points:
            run = SceneTokenizerRun(settings.tokenizer_settings(name, sides), scenes)
            if not train_to_end(run, stop):
                return False
            points.add(f"{name} is done", {"steps": run.step, "pictures": run.pictures_seen})
            forget_checkpoints(folder)
        tokenizer = load_tokenizer(folder / "tokenizer")
        if not fill(folder / "pool", scenes, tokenizer, settings.pool, stop):
            return False
    return True


def side_of(settings: RivalSettings) -> int:
    """Side in pixels of the pictures of the tokenizers."""
    own = settings.tokenizer_settings(PYRAMID, settings.sides)
    tokenizer = MultiScaleVQVAE(
        sides=own.sides, level_channels=own.level_channels, stem_patch=own.stem_patch
    )
    return tokenizer.image_shape[0]


def train_rivals(settings: RivalSettings, points: PointsFile, stop: StopFlag) -> bool:
    """Train all methods at all sizes; returns whether all are done."""
    scenes = open_scenes(settings.data, side_of(settings))
    for rival in rivals_of(settings):
        if rival.name in points.points:
            continue
        if stop.is_set:
            return False
        run = open_rival(rival, settings, scenes)
        about: dict[str, Any] = {
            "kind": rival.method,
            "depth": rival.size.depth,
            "width": rival.size.width,
            "parameters": count_outside_tables(run.transformer),
            "all_parameters": count_parameters(run.transformer),
            "drawing": drawing_costs(run),
        }
        check_parameters(about["parameters"], rival.size)
        if not run_to_point(run, run.operations(), stop, points, rival.name, about):
            return False
    return True


def open_rival(rival: Rival, settings: RivalSettings, scenes: ScenePictures) -> RivalRun:
    """The run of a method: the same settings but for the folders of tokenizer and pool."""
    own = rival_settings(rival, settings)
    if rival.method == "var":
        return SizedRun(own, scenes, settings.validation)
    if rival.method == "raster":
        return RasterRun(own, scenes, settings.validation)
    tokenizer = load_tokenizer(own.tokenizer)
    nn.Module.to(tokenizer, pick_device())
    latents = SceneLatents(scenes, tokenizer, settings.pool)
    counts = [len(one["values"]) for one in scenes.label_names["attributes"]]
    conditioning = choose_conditioning(scenes, own)
    return DiffusionRun(own, latents, conditioning, counts, settings.validation)


def rival_settings(rival: Rival, settings: RivalSettings) -> TransformerSettings:
    """Settings of the run of a method."""
    folder = f"{settings.out}/{rival.tokenizer}"
    own = settings.run_settings(rival.name, rival.size, seed=0)
    return replace(own, tokenizer=f"{folder}/tokenizer", pool_folder=f"{folder}/pool")


def check_parameters(found: int, size: Size) -> None:
    """Check that a method has as many parameters as VAR.

    Raises:
        ValueError: if they differ by more than 3 %.
    """
    if abs(found / size.num_parameters - 1) > LARGEST_DIFFERENCE:
        raise ValueError(
            f"a method has {found:,} parameters at depth {size.depth}, VAR {size.num_parameters:,}:"
            " choose a larger depth, where they differ by at most 3 %"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(compare_rivals, RivalSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
