"""A tiny world to measure: shapes for things, random networks, an untrained judge."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.prompted_models import FakeEncoder
from tests.training.data.tiny_sprites import write_sprites
from training.data.scenes import Phrases, SpriteTable, read_table
from training.data.scenes.pictures import ScenePictures
from training.evaluation.features import FEATURES_FILE, FeatureNet
from training.evaluation.scenes.judge_network import SceneJudge
from training.evaluation.scenes.questions import topics_of
from training.tokenizer.perceptual import PERCEPTUAL_FILE, PerceptualDistance

SIDE = 32  # pixels
WIDTH = 6  # of a phrase vector


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sprite folder."""
    return write_sprites(tmp_path_factory.mktemp("sprites") / "scenes")


@pytest.fixture(scope="session")
def table(sprites: Path) -> SpriteTable:
    return read_table(sprites)


@pytest.fixture(scope="session")
def pictures(table: SpriteTable) -> ScenePictures:
    phrases = Phrases(table)
    return ScenePictures(table, phrases, FakeEncoder(WIDTH).encode(phrases.texts), SIDE)


@pytest.fixture(scope="session")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with untrained nets."""
    folder = tmp_path_factory.mktemp("nets")
    torch.manual_seed(0)
    for file, net in ((FEATURES_FILE, lively_net()), (PERCEPTUAL_FILE, PerceptualDistance())):
        save_file({name: one.contiguous() for name, one in net.state_dict().items()}, folder / file)
    return folder


def lively_net() -> FeatureNet:
    """A random net whose signal survives sixteen blocks."""
    net = FeatureNet(SIDE)
    for name, parameter in net.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(parameter)
    return net


@pytest.fixture(scope="session")
def judge(table: SpriteTable) -> SceneJudge:
    torch.manual_seed(1)
    return SceneJudge(topics_of(table), hidden=8, side=SIDE).eval().requires_grad_(False)
