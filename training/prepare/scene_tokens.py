"""Encode scenes ahead of a run: `python -m training.prepare.scene_tokens --count 65536 ...`.

A run that takes its scenes from a pool (`training.train_transformer --pool`) encodes what is
missing before it begins. This does it beforehand, or beside a run that takes less of the pool yet.
"""

import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from training.data.scenes.pictures import ScenePictures
from training.data.token_pool import fill_pool
from training.loop.command_line import Settings, run_command
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device
from var_core.option_fields import about, option


@dataclass(frozen=True, kw_only=True)
class SceneTokenSettings(Settings):
    """What to encode, and where to keep it."""

    data: str = field(metadata=about("folder of training.prepare.scenes"))
    tokenizer: str = field(metadata=about("folder of the trained tokenizer"))
    out: str = field(metadata=about("folder of the pool"))
    count: int = option(65536, "scenes in the pool, a multiple of 4,096", low=1)


def encode_scenes(settings: SceneTokenSettings) -> None:
    """Fill the pool.

    Raises:
        ValueError: if sprites or tokenizer are missing, or the pool belongs to others.
        OSError: if the pool cannot be written.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tokenizer = load_tokenizer(settings.tokenizer)
    nn.Module.to(tokenizer, pick_device())  # in place
    pictures = ScenePictures.open(settings.data)
    tokens = fill_pool(Path(settings.out), pictures, tokenizer, settings.count)
    print(f"{settings.out}: {len(tokens):,} scenes of {tokens.shape[1]} tokens")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(encode_scenes, SceneTokenSettings, "Encode scenes ahead of a run.", argv)


if __name__ == "__main__":
    sys.exit(main())
