"""Joins a trained tokenizer and transformer to a model folder that the app loads.

`python -m training.export --tokenizer runs/tokenizer/tokenizer --transformer
runs/transformer/transformer --data data/emoji64 --out assets/models/emoji64`
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from training.data.picture_data import PictureData, evenly, load_picture_data
from training.data.prepared_pictures import to_tensor
from training.loop.config import parse_config
from var_core.checkpoints import load_tokenizer, load_transformer
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.sketches import add_sketch
from var_core.transformer.label_maps import TRUST

SKETCH_PICTURES = 3000


@dataclass(frozen=True)
class ExportConfig:
    """What to join."""

    tokenizer: str = field(metadata={"help": "folder of the trained tokenizer"})
    transformer: str = field(metadata={"help": "folder of the trained transformer"})
    data: str = field(metadata={"help": "folder written by training.prepare.emoji"})
    out: str = field(metadata={"help": "model folder to write"})
    borrow_trust: float = field(
        default=0.0,
        metadata={"help": "trust of the head in borrowed pair codes; 0 keeps what was trained"},
    )
    sketch_steps: int = field(
        default=8000, metadata={"help": "training of the decoder for cheap previews; 0: none"}
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code.

    Weights are rounded to bf16; what the tokenizer keeps exact stays float32.
    """
    config = parse_config(ExportConfig, argv, "Join trained parts to a model folder.")
    try:
        data = load_picture_data(config.data)
        pipeline = VARPipeline(
            load_tokenizer(config.tokenizer, torch.bfloat16),
            load_transformer(config.transformer, torch.bfloat16),
            LabelSpace.from_json(data.label_names),
        )
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    maps = pipeline.transformer.label_maps
    if config.borrow_trust and maps is not None:
        maps.trust_embed.weight[TRUST.index("borrowed")] = config.borrow_trust
    pipeline.save_pretrained(config.out)
    if config.sketch_steps:
        add_sketch(Path(config.out), practice(data), config.sketch_steps)
    size = sum(path.stat().st_size for path in Path(config.out).rglob("*.safetensors"))
    print(f"{config.out}: {size / 1e6:.1f} MB of weights")
    return 0


def practice(data: PictureData) -> Tensor:
    """Some of the pictures that were trained on, (N, 3, H, W) in [-1, 1]."""
    return to_tensor(data.images[evenly(data.splits["train"], SKETCH_PICTURES)])


if __name__ == "__main__":
    sys.exit(main())
