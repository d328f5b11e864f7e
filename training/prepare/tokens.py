"""Encodes a picture set ahead of a run, with any number of processes.

`torchrun --nproc-per-node 8 -m training.prepare.tokens --data DATA --tokenizer TOKENIZER --out OUT`

`training.train_transformer --tokens OUT` takes the tokens from there, and encodes what is missing.
Run again, the command goes on. Processes need not know of each other: any number may be started at
any time, on any machine that has the folder.
"""

import logging
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from training.data.augment import KINDS, KINDS_HELP, Augmentation
from training.data.picture_source import check_side
from training.data.prepared_pictures import PreparedPictures
from training.data.token_encoder import Encoder, reading_threads
from training.data.token_files import Views
from training.loop.command_line import Settings, run_command
from training.loop.heartbeat import busy
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device
from var_core.option_fields import about, option


@dataclass(frozen=True, kw_only=True)
class TokenSettings(Settings):
    """What to encode, and where to keep it; as of the run that takes the tokens."""

    data: str = field(metadata=about("folder of a picture set"))
    tokenizer: str = field(metadata=about("folder of the trained tokenizer"))
    out: str = field(metadata=about("folder of the tokens"))
    num_views: int = option(4, "views of each picture: the picture and crops of it", low=1)
    flip: bool = option(False, "mirror half of the crops")
    augmentation: str = option("auto", KINDS_HELP, choices=KINDS)
    features: bool = option(False, "keep features too, for --self-correction")
    workers: int = option(
        -1, "threads that read pictures ahead; -1: 4 beside a GPU, else none", low=-1, high=256
    )


def encode(settings: TokenSettings) -> None:
    """Encode the set.

    Raises:
        ValueError: if set or tokenizer cannot be used.
        OSError: if the tokens cannot be written.
    """
    process = int(os.environ.get("RANK", "0"))
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    device = pick_device()
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    with busy("opening the set", process == 0):
        pictures = PreparedPictures.open(settings.data, Augmentation(settings.augmentation))
        tokenizer = load_tokenizer(settings.tokenizer, torch.float32)
        nn.Module.to(tokenizer, device)  # in place
        check_side(pictures, tokenizer)
        kind = pictures.augmentation.kind
        views = Views(settings.num_views, settings.flip, settings.features, kind)
        threads = reading_threads(settings.workers, device.type)
        encoder = Encoder(Path(settings.out), tokenizer, pictures.data, views, threads)
    encoder.encode(process, num_processes)
    if process == 0:
        logging.getLogger(__name__).info(
            "%s pictures in %d views of %d tokens are in %s",
            f"{encoder.shape.num_pictures:,}",
            views.count,
            encoder.shape.num_tokens,
            encoder.folder,
        )


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(encode, TokenSettings, "Encode a picture set ahead of a run.", argv)


if __name__ == "__main__":
    sys.exit(main())
