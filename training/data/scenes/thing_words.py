"""Names and tags of things in the languages that the sentence encoder knows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.data.npm_packages import Package, PrepareError, read_members
from training.data.scenes.things import Thing

LANGUAGES = {  # of the multilingual Universal Sentence Encoder -> folder of the annotations
    "en": "en",
    "ar": "ar",
    "de": "de",
    "es": "es",
    "fr": "fr",
    "it": "it",
    "ja": "ja",
    "ko": "ko",
    "nl": "nl",
    "pl": "pl",
    "pt": "pt",
    "ru": "ru",
    "th": "th",
    "tr": "tr",
    "zh": "zh",
    "zh-tw": "zh-Hant",
}
ANNOTATIONS = Package(
    "cldr-annotations-full",
    "48.2.0",
    "28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1",
)
ANNOTATIONS_CREDIT = {
    "title": "CLDR annotations",
    "authors": "Unicode, Inc.",
    "source": "https://github.com/unicode-org/cldr-json",
    "licence": "Unicode-3.0",
}


def read_words(archive: Path, things: Sequence[Thing]) -> list[dict[str, list[str]]]:
    """Look up what each thing is called: language -> name, then tags in the file's order.

    Args:
        archive: verified archive of `ANNOTATIONS`.
        things: things to look up.

    Raises:
        PrepareError: if a thing has no name in one of the languages.
    """
    prefix = "annotations/{}/annotations.json"
    wanted = tuple(prefix.format(folder) for folder in LANGUAGES.values())
    files = read_members(archive, wanted)
    tables = {
        language: json.loads(files[prefix.format(folder)])["annotations"]["annotations"]
        for language, folder in LANGUAGES.items()
    }
    return [
        {language: _look_up(table, thing, language) for language, table in tables.items()}
        for thing in things
    ]


def _look_up(table: Mapping[str, Mapping], thing: Thing, language: str) -> list[str]:
    entry = table.get(thing.character.replace("\ufe0f", "")) or table.get(thing.character)
    if entry is None:
        raise PrepareError(f"{ANNOTATIONS.name} has no {language} name for {thing.name}.")
    return list(dict.fromkeys([*entry["tts"], *entry.get("default", ())]))
