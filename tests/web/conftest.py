"""An engine around the tiny model."""

from dataclasses import replace

import pytest

from var_core.pipeline import VARPipeline
from var_core.serving.local_engine import LocalEngine


def tiny_engine(pipeline: VARPipeline) -> LocalEngine:
    """An engine of a model that is called "tiny"."""
    return LocalEngine(replace(pipeline.info, name="tiny"), lambda dtype: pipeline)


@pytest.fixture
def engine(pipeline: VARPipeline) -> LocalEngine:
    return tiny_engine(pipeline)
