"""The phrases of moving scenes: those of still ones, and what moves how, in several languages."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import yaml

from training.data.motion.moves import Move
from training.data.scenes.atlas import SpriteTable
from training.data.scenes.phrases import Key, Phrases, thing_with_article

WORDS_FILE = Path(__file__).with_name("motion_words.yaml")


@cache
def motion_words() -> Mapping:
    """Read the words for motions."""
    return yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8"))


def motion_phrases(table: SpriteTable) -> Phrases:
    """Return all phrases that captions of moving scenes may hold."""
    return Phrases(table, _wordings(table))


def way_of(move: Move) -> str:
    """Return the name that the words have for a move: to which side it goes."""
    if move.motion == "slide":
        return "slide left" if move.is_mirrored else "slide right"
    return move.motion


def _wordings(table: SpriteTable) -> Iterator[tuple[Key, str]]:
    words = motion_words()
    for kind, languages in words["weathers"].items():
        for language, texts in languages.items():
            yield from ((("moving weather", kind, language), text) for text in texts)
    for language, texts in words["still"].items():
        yield from ((("still", language), text) for text in texts)
    for index, thing in enumerate(table.things):
        one = thing_with_article(thing, thing.name)
        for way, languages in words["things"].items():
            for language, templates in languages.items():
                name = table.words[index][language][0]
                for template in templates:
                    if language != "en":
                        text = template.format(name)
                    elif thing.is_mass and "{a}" not in template:
                        continue  # "a spinning bread"
                    else:
                        text = template.format(thing.name, a=one)
                    yield ("motion", index, way, language), text
