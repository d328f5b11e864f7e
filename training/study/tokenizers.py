"""The tokenizers of the study: a pyramid, and a raster of the same network and grid."""

import json
from pathlib import Path

import torch
from torch import nn

from training.data.scenes.pictures import ScenePictures
from training.data.token_encoder import weights_digest
from training.loop.checkpoint import save_model
from training.loop.stop_signals import StopFlag
from training.study.jobs import fill, train_to_end
from training.study.points_file import PointsFile, forget_checkpoints, hardware_of
from training.study.settings import PYRAMID, StudySettings
from training.tokenizer.run import TokenizerRun
from var_core.checkpoints import load_tokenizer
from var_core.tokenizer import MultiScaleVQVAE


class SceneTokenizerRun(TokenizerRun):
    """Trains a tokenizer on scenes of another side than a data folder opens with."""

    def count_flops(self) -> int:
        """Nobody knows them here."""
        return 0


def side_of(settings: StudySettings) -> int:
    """Side in pixels of the pictures of the tokenizers."""
    own = settings.tokenizer_settings(PYRAMID)
    tokenizer = MultiScaleVQVAE(
        sides=own.sides, level_channels=own.level_channels, stem_patch=own.stem_patch
    )
    return tokenizer.image_shape[0]


def make_tokenizer(
    settings: StudySettings, name: str, scenes: ScenePictures, points: PointsFile, stop: StopFlag
) -> bool:
    """Train a tokenizer, unless it is kept, and fill its pool; returns whether all is there.

    Args:
        settings: those of the study.
        name: `PYRAMID` for all scales, `RASTER` for the finest one alone.
        scenes: scenes of the side that `side_of` tells.
        points: get a point for the tokenizer.
        stop: request to stop.

    Raises:
        ValueError: if the tokenizer or its pool is not that of the points.
        SaveError: if something cannot be written.
    """
    kept = settings.kept_tokenizer(name)
    if not kept.is_dir():
        run = SceneTokenizerRun(settings.tokenizer_settings(name), scenes)
        if not train_to_end(run, stop):
            return False
        keep_rounded(run.folder / "tokenizer", kept)
        about = {"kind": "tokenizer", "steps": run.step, "pictures": run.pictures_seen}
        points.add(name, about | {"hardware": hardware_of(run)})
        forget_checkpoints(run.folder)
    tokenizer = load_tokenizer(kept)
    check_kept(settings, name, tokenizer)
    points.claim(name, weights_digest(tokenizer))
    tokens = fill(settings.pool_folder(name), scenes, tokenizer, settings.pool, stop)
    if tokens is None:
        return False
    points.claim_tokens(f"tokens of the {name}", tokens)
    return True


def check_kept(settings: StudySettings, name: str, tokenizer: MultiScaleVQVAE) -> None:
    """Check that a tokenizer that is kept has the shape that is asked for.

    Raises:
        ValueError: if it has another one.
    """
    own = settings.tokenizer_settings(name)
    for key in ("sides", "level_channels", "vocab_size", "code_dim"):
        found, asked = tokenizer.config[key], getattr(own, key)
        if json.dumps(found) != json.dumps(asked):
            raise ValueError(
                f"{settings.kept_tokenizer(name)} has {key} {found}, asked for {asked}: choose "
                f"another folder of results, or the settings of this one"
            )


def keep_rounded(trained: Path, kept: Path) -> None:
    """Keep a tokenizer in numbers of 16 bits, half as large; all methods use these.

    Raises:
        SaveError: if it cannot be written.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(trained)
    nn.Module.to(tokenizer, torch.float16)
    save_model(tokenizer, kept)
