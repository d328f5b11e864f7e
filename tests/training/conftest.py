"""A handful of made-up pictures and clips to train on."""

from pathlib import Path

import pytest

from tests.training.tiny import write_pictures
from tests.training.tiny_clips import write_motion


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty pictures of four emoji in two categories and five styles."""
    return write_pictures(tmp_path / "data")


@pytest.fixture(scope="session")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of motions of a few coloured shapes."""
    return write_motion(tmp_path_factory.mktemp("moving"))
