"""Tokens that are encoded ahead of a run are those that the run takes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.data.tiny_sprites import write_sprites
from tests.training.tiny import transformer_arguments
from training.data import token_pool
from training.data.scenes import Phrases, read_table
from training.data.scenes.phrase_vectors import write_phrase_vectors
from training.loop.command_line import parse_settings
from training.prepare import scene_tokens
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from var_core import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer

COUNT = 16


def encode(texts: list[str]) -> np.ndarray:
    """A vector for each text."""
    return np.stack([np.random.default_rng(len(text)).normal(size=8) for text in texts])


def test_a_run_takes_them_in_any_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_pool, "SHARD_PICTURES", COUNT)
    data = write_sprites(tmp_path / "scenes")
    write_phrase_vectors(data, Phrases(read_table(data)), encode, "tiny")
    tokenizer = MultiScaleVQVAE(
        sides=(1, 2, 16), level_channels=(32, 32), vocab_size=32, code_dim=8, stem_patch=8
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    folders = f"--data {data} --tokenizer {tmp_path / 'tokenizer'}"
    pool = tmp_path / "pool"
    assert scene_tokens.main([*folders.split(), "--out", str(pool), "--count", str(COUNT)]) == 0
    before = {path: path.stat().st_mtime_ns for path in pool.iterdir()}
    for precision in ("no", "bf16"):
        arguments = transformer_arguments(data, tmp_path / "tokenizer", tmp_path / precision, 1)
        arguments += ["--pool", str(COUNT), "--pool-folder", str(pool)]
        arguments += ["--mixed-precision", precision]
        TransformerRun(parse_settings(TransformerSettings, arguments, "")).close()
    assert {path: path.stat().st_mtime_ns for path in pool.iterdir()} == before
