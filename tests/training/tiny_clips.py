"""A small folder of motions, a tokenizer to begin with, and settings of runs of clips."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.training.data.tiny_sprites import write_sprites
from training import train_tokenizer, train_transformer
from training.data.motion import motion_phrases
from training.data.motion.clips import write_about
from training.data.scenes import read_table
from training.data.scenes.phrase_vectors import write_phrase_vectors
from training.loop.checkpoint import step_generator
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer

SIDE = 16
WIDTH = 6  # of the vectors of phrases
MAPS = "--clip-frames 2 2 --clip-sides 1 2 --frame-stride 8"
COMMON = (
    "--batch-size 2 --warmup-steps 2 --evaluate-every 100 --save-every 3 --no-compile "
    "--mixed-precision no --tracker none"
)


def write_motion(folder: Path, side: int = SIDE) -> Path:
    """Write the folder as the commands would, with vectors that are numbers of the phrases."""
    scenes, motion = write_sprites(folder / "scenes"), folder / "motion"
    motion.mkdir()
    table = read_table(scenes)

    def encode(texts: Sequence[str]) -> np.ndarray:
        lengths = np.array([[len(text) + column for column in range(WIDTH)] for text in texts])
        return np.sin(lengths).astype(np.float32)

    write_phrase_vectors(motion, motion_phrases(table), encode, "lengths")
    write_about(motion, scenes, side)
    return motion


def picture_tokenizer() -> MultiScaleVQVAE:
    """A tokenizer of the first frames, which has learned nothing."""
    tokenizer = MultiScaleVQVAE((1, 2), 16, 8, (32,), num_blocks=1, stem_patch=8, sketch_width=8)
    init_tokenizer(tokenizer, step_generator(0, 0))
    return tokenizer


def save_picture_tokenizer(folder: Path) -> Path:
    """Save it; returns its folder."""
    picture_tokenizer().save_pretrained(folder)
    return folder


def run_clip_tokenizer(data: Path, initial: Path, out: Path, steps: int, *more: str) -> int:
    """Train a tokenizer of clips by the command; returns the exit code."""
    words = f"--data {data} --initial {initial} --out {out} --steps {steps} --nets none {MAPS}"
    return train_tokenizer.main([*f"{words} {COMMON} --learning-rate 2e-3".split(), *more])


def run_clip_transformer(data: Path, tokenizer: Path, out: Path, steps: int, *more: str) -> int:
    """Train a transformer of clips by the command; returns the exit code."""
    words = f"--data {data} --tokenizer {tokenizer} --out {out} --steps {steps} {COMMON}"
    words += " --depth 2 --width 32 --num-heads 2 --learning-rate 2e-3 --drop-path 0"
    return train_transformer.main([*words.split(), *more])
