"""Composed scenes: endless pictures of known things in known places, with exact captions.

table = read_table(Path("data/scenes"))  # made by python -m training.prepare.scenes
renderer = SceneRenderer(table, "cpu")
scenes = [make_scene(table, seed=0, index=index) for index in range(16)]
images = renderer.render(scenes, side=256)  # (16, 3, 256, 256) in [-1, 1]
"""

from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.description import Placement, Scene
from training.data.scenes.making import build_scene, make_scene
from training.data.scenes.renderer import SceneRenderer

__all__ = [
    "Placement",
    "Scene",
    "SceneRenderer",
    "SpriteTable",
    "build_scene",
    "make_scene",
    "read_table",
]
