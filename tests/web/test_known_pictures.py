"""Photographs are told apart from what the embedded model knows."""

from dataclasses import replace
from pathlib import Path

import gradio
import pytest

from tests.conftest import EMBEDDED_MODEL
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.reconstruction import reconstruct
from var_core.serving.local_engine import LocalEngine
from var_core.web.known_pictures import caution, caution_about

PHOTOS = Path(gradio.__file__).parent / "media_assets" / "images"


@pytest.fixture(scope="module")
def engine(embedded: VARPipeline) -> LocalEngine:
    info = replace(embedded.info, name=EMBEDDED_MODEL.name)
    return LocalEngine(info, lambda dtype: embedded)


@pytest.mark.parametrize("name", ["cheetah.jpg", "cheetah1.jpg", "lion.jpg", "tower.jpg"])
def test_a_photograph_gets_one_honest_sentence(engine: LocalEngine, name: str) -> None:
    assert "unlike what emoji64 has learned" in caution_about(engine, PHOTOS / name, "")


def test_what_the_model_draws_gets_none(engine: LocalEngine, embedded: VARPipeline) -> None:
    drawn = embedded.draw([None] * 12, generator=generators_from_seeds(range(12))).images
    assert {caution(engine.info, reconstruct(embedded, one).psnr[-1]) for one in drawn} == {""}


def test_other_models_are_not_judged(engine: LocalEngine) -> None:
    other = replace(engine.info, name="var-d16")
    assert caution(other, 1.0) == ""
