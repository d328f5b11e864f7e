"""Tiny scenes and a tiny tokenizer for the study."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import make_tokenizer
from tests.training.data.tiny_sprites import write_sprites
from training.data import token_pool
from training.data.scenes import Phrases, read_table
from training.data.scenes.phrase_vectors import write_phrase_vectors
from training.study import power_laws


def encode(texts: list[str]) -> np.ndarray:
    """Vectors that tell texts apart."""
    return np.stack([np.random.default_rng(len(text)).normal(size=8) for text in texts])


@pytest.fixture(scope="session")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sprites(tmp_path_factory.mktemp("scenes"))
    write_phrase_vectors(folder, Phrases(read_table(folder)), encode, "tiny")
    return folder


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer((1, 2, 8)).save_pretrained(folder)
    return folder


@pytest.fixture
def arguments(
    scenes_folder: Path, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Of a study of 80 scenes: eight steps of eight, with sixteen for validation."""
    monkeypatch.setattr(token_pool, "SHARD_PICTURES", 80)
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    files = f"--data {scenes_folder} --tokenizer {tokenizer_folder} --out {tmp_path / 'study'}"
    return f"{files} --pool 80 --validation 16 --batch-size 8 --save-every 3".split()
