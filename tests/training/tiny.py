"""Tiny pictures and settings for both trainers, and what their runs leave behind."""

import json
from pathlib import Path

import numpy as np
import torch

from training import train_tokenizer, train_transformer
from training.loop.checkpoint import load_newest
from training.loop.picture_random import PictureRandom

TINY_TOKENIZER = (
    "--sides 1 2 8 --vocab-size 16 --code-dim 8 --level-channels 32 --stem-patch 8 --batch-size 4 "
    "--quantize-after 1 --restart-every 2 --warmup-steps 2 --evaluate-every 4 --save-every 2 "
    "--no-compile --learning-rate 6e-4"
)
TINY_TRANSFORMER = (
    "--depth 2 --width 32 --num-heads 2 --batch-size 4 --num-views 2 --warmup-steps 2 "
    "--evaluate-every 4 --save-every 2 --no-compile --learning-rate 8e-4"
)


def random_of(count: int, step: int = 0) -> PictureRandom:
    """Random numbers of so many pictures."""
    return PictureRandom(0, step, range(count))


def write_pictures(folder: Path) -> Path:
    """Write twenty pictures of four emoji in two categories and five styles, as prepared."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "images.npy", small.repeat(8, axis=1).repeat(8, axis=2))
    rows = [
        {"style": f"s{i % 5}", "key": str(i // 5), "label": f"e{i // 5}", "group": "g",
         "subgroup": f"c{i // 10}", "tags": []}
        for i in range(20)
    ]  # fmt: skip
    (folder / "rows.json").write_text(json.dumps(rows))
    splits = {"train": list(range(16)), "validation": [16, 17], "held_out": [18, 19]}
    (folder / "splits.json").write_text(json.dumps(splits))
    names = {
        "attributes": [
            {"name": "category", "values": ["c0", "c1"]},
            {"name": "emoji", "values": [f"e{i}" for i in range(4)]},
            {"name": "style", "values": [f"s{i}" for i in range(5)]},
        ],
        "implies": {"emoji": {"category": [0, 0, 1, 1]}},
        "emoji": {"characters": list("abcd"), "tags": [[]] * 4},
    }
    (folder / "labels.json").write_text(json.dumps(names))
    return folder


def tokenizer_arguments(data: Path, out: Path, steps: int) -> list[str]:
    common = f"--data {data} --out {out} --steps {steps} --nets none --mixed-precision no"
    return f"{common} {TINY_TOKENIZER}".split()


def transformer_arguments(data: Path, tokenizer: Path, out: Path, steps: int) -> list[str]:
    common = f"--data {data} --tokenizer {tokenizer} --out {out} --steps {steps}"
    return f"{common} --mixed-precision no {TINY_TRANSFORMER}".split()


def run_tokenizer(data: Path, out: Path, steps: int, *more: str) -> int:
    return train_tokenizer.main([*tokenizer_arguments(data, out, steps), *more])


def run_transformer(data: Path, tokenizer: Path, out: Path, steps: int, *more: str) -> int:
    return train_transformer.main([*transformer_arguments(data, tokenizer, out, steps), *more])


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of the newest checkpoint, of all its parts."""
    parts, _ = load_newest(folder)
    return {f"{part}.{key}": value for part, found in parts.items() for key, value in found.items()}


def different(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> list[str]:
    """Names whose values are not the same to the last bit, in either."""
    names = ours.keys() | theirs.keys()
    return [
        n for n in names if n not in ours or n not in theirs or not torch.equal(ours[n], theirs[n])
    ]
