"""A handful of made-up pictures to train on."""

from pathlib import Path

import pytest

from tests.training.tiny import write_pictures


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty pictures of four emoji in two categories and five styles."""
    return write_pictures(tmp_path / "data")
