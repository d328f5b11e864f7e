"""Sprites for the tests of scenes."""

import pytest

from tests.training.data.tiny_sprites import write_sprites
from training.data.scenes import SceneRenderer, SpriteTable, read_table


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> SpriteTable:
    return read_table(write_sprites(tmp_path_factory.mktemp("sprites") / "scenes"))


@pytest.fixture(scope="session")
def renderer(table: SpriteTable) -> SceneRenderer:
    return SceneRenderer(table)
