"""Tiny models with seeded weights, and the embedded one."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # tests run side by side; torch and every server read it early
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.server import ROOT, running_app
from tests.small_scenes import save_small_scenes
from var_core import LabelSpace, MultiScaleVQVAE, VARPipeline, VARTransformer
from var_core.labels import Attribute
from var_core.scales import Sides
from var_core.tokenizer.initial_weights import init_tokenizer
from var_core.transformer import init_weights

torch.set_num_threads(1)
settings.register_profile(
    "any machine",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")
SIDES = (1, 2, 3, 4)
EMBEDDED_MODEL = ROOT / "assets" / "models" / "scenes256"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser's tests first, so that each test process starts one browser once."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/browser/"))


def pytest_collection_finish() -> None:
    """Spare the collector of garbage all that the tests have imported: a tenth of their time."""
    gc.collect()
    gc.freeze()


def make_tokenizer(sides: Sides = SIDES) -> MultiScaleVQVAE:
    tokenizer = MultiScaleVQVAE(
        sides=sides, vocab_size=32, code_dim=8, level_channels=(16, 32), norm_groups=8, num_blocks=1
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    return tokenizer.eval().requires_grad_(False)


def make_transformer(
    label_counts: tuple[int, ...] = (2, 4, 3), sides: Sides = SIDES
) -> VARTransformer:
    transformer = VARTransformer(
        sides=sides,
        vocab_size=32,
        code_dim=8,
        label_counts=label_counts,
        depth=2,
        width=32,
        num_heads=2,
        shared_modulation=True,
    )
    # large factors, so that labels and tokens really change what is drawn
    init_weights(transformer, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return transformer.eval().requires_grad_(False)


def make_labels() -> LabelSpace:
    attributes = (
        Attribute("category", ("animal", "fruit")),
        Attribute("emoji", ("cat", "dog", "apple", "pear"), {"🐱": 0, "🐶": 1}),
        Attribute("style", ("flat", "round", "3d")),
    )
    return LabelSpace(attributes, {(1, 0): (0, 0, 1, 1)})


@pytest.fixture
def pipeline() -> VARPipeline:
    """A tiny pipeline with three attributes, one of which implies another."""
    return VARPipeline(make_tokenizer(), make_transformer(), make_labels())


@pytest.fixture
def class_pipeline() -> VARPipeline:
    """A tiny pipeline with one attribute, like the official models."""
    return VARPipeline(make_tokenizer(), make_transformer((10,)))


@pytest.fixture(scope="session")
def embedded() -> VARPipeline:
    """The embedded model in float32."""
    return VARPipeline.from_pretrained(EMBEDDED_MODEL)


@pytest.fixture(scope="session")
def small_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with all names and words of the embedded one."""
    return save_small_scenes(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def scenes(small_scenes: Path) -> VARPipeline:
    """That model in float32."""
    return VARPipeline.from_pretrained(small_scenes)


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory, small_scenes: Path) -> Iterator[str]:
    """The address of the app, really started; at the end its log must hold no traceback."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with running_app(log, "--model", str(small_scenes)) as address:
        yield address
    assert "Traceback" not in log.read_text()
