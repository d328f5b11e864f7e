"""A small sprite folder for tests: coloured shapes instead of emoji."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.scenes.atlas import TABLE_VERSION
from training.data.scenes.thing_words import LANGUAGES
from training.data.scenes.things import Thing

THINGS = (
    Thing("fox", "🦊", "animals", plural="foxes", synonyms=("vixen",)),
    Thing("owl", "🦉", "animals", ("ground", "flies"), plural="owls"),
    Thing("whale", "🐳", "animals", ("swims",), plural="whales"),
    Thing("bread", "🍞", "food", is_mass=True, plural="breads", synonyms=("loaf of bread",)),
    Thing("book", "📕", "objects", may_flip=False, plural="books"),
    Thing("star", "⭐", "nature", ("sky",), plural="stars"),
    Thing("house", "🏠", "buildings", plural="houses", synonyms=("home",)),
    Thing("rocket", "🚀", "vehicles", ("flies",), plural="rockets"),
)
STYLES = ("round", "square")
SIZES = ((60, 48), (40, 64), (64, 64), (64, 30))


def make_sprite(thing: int, style: int) -> Image.Image:
    """Draw an ellipse or a rectangle with a hole, in a colour of its own."""
    width, height = SIZES[thing % len(SIZES)]
    y, x = np.mgrid[0:height, 0:width]
    radius = ((x + 0.5) / width * 2 - 1) ** 2 + ((y + 0.5) / height * 2 - 1) ** 2
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., :3] = np.random.default_rng(thing).integers(40, 255, 3)
    pixels[: height // 2, : width // 2, 1] = 0
    pixels[..., 3] = np.where(radius < 1.0, 255, 0) if style == 0 else 255
    return Image.fromarray(pixels)


def words_of(thing: Thing) -> dict[str, list[str]]:
    """Make up names in all languages."""
    words = {language: [f"{thing.name}-{language}"] for language in LANGUAGES}
    return words | {"en": [thing.name, *thing.synonyms]}


def write_sprites(folder: Path) -> Path:
    """Write the folder as the command would."""
    rows = []
    for style, name in enumerate(STYLES):
        (folder / name).mkdir(parents=True)
        for index, thing in enumerate(THINGS):
            sprite = make_sprite(index, style)
            file = f"{name}/{thing.slug}.webp"
            sprite.save(folder / file, lossless=True)
            size = {"width": sprite.width, "height": sprite.height}
            rows.append({"thing": thing.name, "style": name, "file": file} | size)
    table = {
        "version": TABLE_VERSION,
        "styles": STYLES,
        "credits": [],
        "things": [
            asdict(thing) | {"words": words_of(thing), "kinds": ["a thing"]} for thing in THINGS
        ],
        "sprites": rows,
    }
    (folder / "sprites.json").write_text(json.dumps(table), encoding="utf-8")
    return folder
