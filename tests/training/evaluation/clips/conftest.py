"""A tiny world of clips to measure: shapes that move, random networks, an untrained judge."""

from pathlib import Path

import pytest
import torch

from tests.prompted_models import TEXT_DIM, FakeEncoder
from tests.training.evaluation.scenes.conftest import SIDE, write_nets
from tests.training.tiny_clips import write_motion
from training.data.motion import MovingScenes
from training.evaluation.clips.judge_network import ClipJudge, topics_of
from var_core import MultiScaleVQVAE, VARClipPipeline, VARTransformer
from var_core.labels import Attribute, LabelSpace
from var_core.text import PhraseTable
from var_core.text.prompt import phrase_key
from var_core.tokenizer.inflation import inflate_tokenizer
from var_core.tokenizer.initial_weights import init_tokenizer
from var_core.transformer import init_weights

PICTURE = (1, 2, 4)
CLIP = (*PICTURE, (2, 1, 1), (2, 4, 4))
FRAMES = 9


@pytest.fixture(scope="session")
def motion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_motion(tmp_path_factory.mktemp("moving"), SIDE)


@pytest.fixture(scope="session")
def clips(motion_folder: Path) -> MovingScenes:
    return MovingScenes.open(motion_folder)


@pytest.fixture(scope="session")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with untrained nets."""
    return write_nets(tmp_path_factory.mktemp("nets"))


@pytest.fixture(scope="session")
def judge(clips: MovingScenes) -> ClipJudge:
    torch.manual_seed(1)
    return ClipJudge(topics_of(clips.table), SIDE).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def pipeline(clips: MovingScenes) -> VARClipPipeline:
    """A model of clips that knows every phrase and has learned nothing."""
    generator = torch.Generator().manual_seed(2)
    pictures = MultiScaleVQVAE(PICTURE, 16, 8, (32,), num_blocks=1, stem_patch=8)
    init_tokenizer(pictures, generator)
    transformer = VARTransformer(
        sides=CLIP,
        vocab_size=16,
        code_dim=8,
        label_counts=(len(clips.table.styles),),
        depth=1,
        width=32,
        num_heads=2,
        shared_modulation=True,
        text_dim=TEXT_DIM,
        max_phrases=8,
    )
    init_weights(transformer, generator, 8.0, 2.0, 2.0)
    texts = {phrase_key(text): text for text in clips.phrases.texts}  # each of them once
    return VARClipPipeline(
        inflate_tokenizer(pictures, CLIP, 4, generator),
        transformer.eval().requires_grad_(False),
        LabelSpace((Attribute("style", tuple(clips.table.styles)),)),
        PhraseTable.encode(FakeEncoder(), list(texts.values())),
    )
