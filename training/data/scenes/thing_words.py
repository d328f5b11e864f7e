"""Names of things in the languages that the sentence encoder knows."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from training.data.npm_packages import Package, PackageError, read_members
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
KINDS = {  # English tags that say what sort of thing it is -> phrase
    "bird": "a bird",
    "building": "a building",
    "clothing": "something to wear",
    "dessert": "a dessert",
    "drink": "a drink",
    "flower": "a flower",
    "fruit": "a fruit",
    "insect": "an insect",
    "instrument": "a musical instrument",
    "plant": "a plant",
    "tree": "a tree",
    "vegetable": "a vegetable",
    "vehicle": "a vehicle",
}
NUM_NAMES = 2  # of a thing in a language
MAX_THINGS = 2  # a word that tags more things than this is no name
CLOSE = 0.7  # cosine to the English names that makes a tag a name
BETTER = 0.15  # a tag that is closer than the annotated name by this takes its place

Encode = Callable[[Sequence[str]], np.ndarray]  # texts -> unit vectors (n, E)


def read_words(archive: Path, things: Sequence[Thing]) -> list[dict[str, list[str]]]:
    """Look up what each thing is called: language -> name, then tags in the file's order.

    Args:
        archive: verified archive of `ANNOTATIONS`.
        things: things to look up.

    Raises:
        PackageError: if a thing has no name in one of the languages.
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
        raise PackageError(f"{ANNOTATIONS.name} has no {language} name for {thing.name}.")
    return list(dict.fromkeys([*entry["tts"], *entry.get("default", ())]))


def thing_kinds(thing: Thing, words: Mapping[str, Sequence[str]]) -> list[str]:
    """Return phrases that say what sort of thing it is: "a fruit"."""
    kinds = [phrase for tag, phrase in KINDS.items() if tag in words["en"]]
    if thing.category == "animals":
        kinds.append("an animal")
    elif thing.category == "food" and "drink" not in words["en"]:
        kinds.append("something to eat")
    return kinds


def choose_names(
    things: Sequence[Thing], words: Sequence[Mapping[str, Sequence[str]]], encode: Encode
) -> list[dict[str, list[str]]]:
    """Choose at most two names of each thing in each language.

    The annotations are meant for searching: they hold "face of a fox" and "cunning" beside "fox".
    The annotated name stays unless a tag is much closer to the English names; the second name is
    the closest tag that is close to this thing and to no other.

    Args:
        things: things with their English names.
        words: annotated name and tags of each thing.
        encode: the sentence encoder.

    Returns:
        Language -> names, for each thing; the English ones are the thing's own.
    """
    english = encode([thing.name for thing in things])
    concepts = np.stack([encode([thing.name, *thing.synonyms]).mean(0) for thing in things])
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    chosen: list[dict[str, list[str]]] = [{"en": [thing.name, *thing.synonyms]} for thing in things]
    for language in LANGUAGES:
        if language == "en":
            continue
        counts = Counter(word.casefold() for entry in words for word in entry[language])
        vectors = encode([word for entry in words for word in entry[language]])
        position = 0
        for index, entry in enumerate(words):
            candidates = entry[language]
            part = vectors[position : position + len(candidates)]
            position += len(candidates)
            scores, nearest = part @ concepts[index], (part @ english.T).argmax(1)
            is_name = [
                counts[word.casefold()] <= MAX_THINGS and nearest[i] == index
                for i, word in enumerate(candidates)
            ]
            chosen[index][language] = _best_names(candidates, scores, is_name)
    return _without_ambiguous(chosen)


def _best_names(words: Sequence[str], scores: np.ndarray, is_name: Sequence[bool]) -> list[str]:
    """Choose among one thing's words: the annotated name comes first."""
    others = [index for index in range(1, len(words)) if is_name[index]]
    others = sorted(others, key=lambda index: -scores[index])
    close = [index for index in others if scores[index] >= CLOSE]
    first = [0]
    if others and scores[others[0]] >= max(scores[0] + BETTER, 0.5):
        first = []  # "face of a fox" gives way to "fox"
        close = close or others[:1]
    folded: dict[str, str] = {}
    for index in [*first, *close]:
        folded.setdefault(words[index].casefold(), words[index])
    return list(folded.values())[:NUM_NAMES]


def _without_ambiguous(chosen: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    """Drop names that two things share in one language, where another name remains."""
    for language in LANGUAGES:
        counts = Counter(
            word.casefold() for entry in chosen for word in set(entry.get(language, ()))
        )
        for entry in chosen:
            names = entry[language]
            clear = [name for name in names if counts[name.casefold()] == 1]
            entry[language] = clear or names[:1]
    return chosen
