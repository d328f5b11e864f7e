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
from training.evaluation.scenes.free_prompts import read_free_prompts
from training.evaluation.scenes.judge_network import SceneJudge
from training.evaluation.scenes.measured_model import Bench
from training.evaluation.scenes.questions import topics_of
from training.tokenizer.perceptual import PERCEPTUAL_FILE, PerceptualDistance
from var_core import LabelSpace, MultiScaleVQVAE, VARPipeline, VARTransformer
from var_core.text import PhraseTable
from var_core.tokenizer.initial_weights import init_tokenizer
from var_core.transformer import init_weights

SIDE = 32  # pixels
SIDES = (1, 2, 4)  # of the token maps
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
    return write_nets(tmp_path_factory.mktemp("nets"))


def write_nets(folder: Path) -> Path:
    """Fill a folder with untrained nets."""
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


def make_scene_tokenizer() -> MultiScaleVQVAE:
    tokenizer = MultiScaleVQVAE(
        sides=SIDES,
        vocab_size=16,
        code_dim=8,
        level_channels=(16,),
        norm_groups=8,
        num_blocks=1,
        stem_patch=8,
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    return tokenizer.eval().requires_grad_(False)


def make_scene_transformer(num_styles: int) -> VARTransformer:
    transformer = VARTransformer(
        sides=SIDES,
        vocab_size=16,
        code_dim=8,
        label_counts=(num_styles,),
        depth=1,
        width=16,
        num_heads=2,
        text_dim=WIDTH,
        max_phrases=8,
    )
    init_weights(transformer, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return transformer.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def bench(pictures: ScenePictures, judge: SceneJudge, nets: Path) -> Bench:
    """All that a figure needs, with three cases at most."""
    texts = [*pictures.phrases.texts, *(prompt.text for prompt in read_free_prompts())]
    different = list({text.casefold(): text for text in texts}.values())
    phrases = PhraseTable.encode(FakeEncoder(WIDTH), different)
    labels = LabelSpace.from_json(pictures.label_names)
    transformer = make_scene_transformer(len(pictures.table.styles))
    pipeline = VARPipeline(make_scene_tokenizer(), transformer, labels, phrases)
    return Bench(pipeline, judge, pictures, nets, limit=3)
