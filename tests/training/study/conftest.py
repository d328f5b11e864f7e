"""Tiny scenes and a tiny tokenizer for the study."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.data.tiny_sprites import write_sprites
from tests.training.tiny import random_nets
from training.data import token_pool
from training.data.scenes import Phrases, read_table
from training.data.scenes.phrase_vectors import write_phrase_vectors
from training.evaluation.scenes.judge_network import SceneJudge, save_scene_judge
from training.evaluation.scenes.questions import topics_of
from training.study import artists, gauge, power_laws, zero_shot
from training.study.settings import StudySettings
from var_core import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer


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
    tokenizer = MultiScaleVQVAE(
        sides=(1, 2, 8), level_channels=(32, 32), vocab_size=32, code_dim=8, stem_patch=4
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def common_arguments(
    scenes_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Of a study of 80 scenes: eight steps of eight, with sixteen for validation."""
    monkeypatch.setattr(token_pool, "SHARD_PICTURES", 80)
    monkeypatch.setattr(power_laws, "RESAMPLES", 20)
    files = f"--data {scenes_folder} --out {tmp_path / 'study'}"
    return f"{files} --pool 80 --validation 16 --batch-size 8 --save-every 3".split()


@pytest.fixture
def arguments(
    common_arguments: list[str], tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The same, with a tokenizer that is there already."""
    monkeypatch.setattr(StudySettings, "kept_tokenizer", lambda *_: tokenizer_folder)
    sizes = "--sides 1 2 8 --level-channels 32 32 --vocab-size 32 --code-dim 8"
    return [*common_arguments, *sizes.split()]


@pytest.fixture(scope="session")
def judge_file(scenes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained judge of the tiny scenes."""
    torch.manual_seed(1)
    judge = SceneJudge(topics_of(read_table(scenes_folder)), hidden=8, side=32)
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    save_scene_judge(judge.eval(), path)
    return path


@pytest.fixture(scope="session")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with untrained nets."""
    return random_nets(tmp_path_factory.mktemp("nets"))


class FourFeatures(torch.nn.Module):
    """Mean colours and their spread in place of 1,280 features."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images.mean(dim=(2, 3)), images.std(dim=(1, 2, 3))[:, None]], dim=1)


@pytest.fixture
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few drawings, and so cheap features, that figures mean nothing."""
    monkeypatch.setattr(gauge, "load_features", lambda *_: FourFeatures())
    monkeypatch.setattr(gauge, "NUM_SEEDS", 2)
    monkeypatch.setattr(artists, "GUIDANCES", (0.0, 1.0))
    monkeypatch.setattr(zero_shot, "NUM_CASES", 2)
    for name in ("drawing_costs", "rival_seconds"):
        monkeypatch.setattr(f"training.study.{name}.ROUNDS", 2)
