"""The two tokenizers of the comparison: a pyramid, and a raster of the same network and grid."""

from pathlib import Path

import torch
from torch import nn

from training.data.scenes.pictures import ScenePictures
from training.data.token_encoder import weights_digest
from training.loop.checkpoint import save_model
from training.loop.stop_signals import StopFlag
from training.study.jobs import fill, train_to_end
from training.study.points_file import PointsFile, forget_checkpoints, hardware_of
from training.study.settings import RivalSettings
from training.tokenizer.run import TokenizerRun
from var_core.checkpoints import load_tokenizer
from var_core.tokenizer import MultiScaleVQVAE

PYRAMID, RASTER = "pyramid-tokenizer", "raster-tokenizer"


class SceneTokenizerRun(TokenizerRun):
    """Trains a tokenizer on scenes of another side than a data folder opens with."""

    def count_flops(self) -> int:
        """Nobody knows them here."""
        return 0


def kept_tokenizer(settings: RivalSettings, name: str) -> Path:
    """Folder of a trained tokenizer, beside the points: other machines go on with the same."""
    return settings.results_folder / "tokenizers" / name


def side_of(settings: RivalSettings) -> int:
    """Side in pixels of the pictures of the tokenizers."""
    own = settings.tokenizer_settings(PYRAMID, settings.sides)
    tokenizer = MultiScaleVQVAE(
        sides=own.sides, level_channels=own.level_channels, stem_patch=own.stem_patch
    )
    return tokenizer.image_shape[0]


def make_tokenizers(
    settings: RivalSettings, scenes: ScenePictures, points: PointsFile, stop: StopFlag
) -> bool:
    """Train both tokenizers alike and fill their pools; returns whether all is there.

    Raises:
        ValueError: if a tokenizer or its pool is not that of the points.
        SaveError: if something cannot be written.
    """
    for name, sides in ((PYRAMID, settings.sides), (RASTER, settings.sides[-1:])):
        kept = kept_tokenizer(settings, name)
        if not kept.is_dir():
            run = SceneTokenizerRun(settings.tokenizer_settings(name, sides), scenes)
            if not train_to_end(run, stop):
                return False
            keep_rounded(run.folder / "tokenizer", kept)
            about = {"kind": "tokenizer", "steps": run.step, "pictures": run.pictures_seen}
            points.add(name, about | {"hardware": hardware_of(run)})
            forget_checkpoints(run.folder)
        tokenizer = load_tokenizer(kept)
        points.claim(name, weights_digest(tokenizer))
        pool = Path(settings.out) / name / "pool"
        if (tokens := fill(pool, scenes, tokenizer, settings.pool, stop)) is None:
            return False
        points.claim_tokens(f"tokens of the {name}", tokens)
    return True


def keep_rounded(trained: Path, kept: Path) -> None:
    """Keep a tokenizer in numbers of 16 bits, half as large; all methods use these.

    Raises:
        SaveError: if it cannot be written.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(trained)
    nn.Module.to(tokenizer, torch.float16)
    save_model(tokenizer, kept)
