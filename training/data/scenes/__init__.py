"""Composed scenes: endless pictures of known things in known places, with exact captions.

table = read_table(Path("data/scenes"))  # made by python -m training.prepare.scenes
phrases = Phrases(table)
vectors = read_phrase_vectors(table.folder, phrases)  # (n, 512) float16, by phrase id
renderer, captioner = SceneRenderer(table, "cpu"), Captioner(table, phrases)
with SceneStream(renderer, captioner, StreamOptions(seed=0, batch_size=32), start=0) as stream:
for batch in stream:  # batch.images, batch.styles, batch.phrases
...
"""

from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.captions import Captioner
from training.data.scenes.description import Placement, Scene
from training.data.scenes.making import (
    build_scene,
    held_out_of,
    make_held_out_scene,
    make_scene,
    make_validation_scene,
)
from training.data.scenes.phrase_vectors import read_phrase_vectors
from training.data.scenes.phrases import Phrases
from training.data.scenes.renderer import SceneRenderer
from training.data.scenes.stream import NO_PHRASE, SceneBatch, SceneStream, StreamOptions

__all__ = [
    "NO_PHRASE",
    "Captioner",
    "Phrases",
    "Placement",
    "Scene",
    "SceneBatch",
    "SceneRenderer",
    "SceneStream",
    "SpriteTable",
    "StreamOptions",
    "build_scene",
    "held_out_of",
    "make_held_out_scene",
    "make_scene",
    "make_validation_scene",
    "read_phrase_vectors",
    "read_table",
]
