"""All phrases that captions are made of: a finite list, so that their vectors are stored once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from random import Random

import yaml

from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import INDOORS, OUTDOORS, PLAIN, TIMES
from training.data.scenes.things import Thing

WORDS_FILE = Path(__file__).with_name("setting_words.yaml")
MAIN_LANGUAGES = ("de", "es", "fr", "it", "ja", "ru", "zh")  # these also say left and right
NUM_WHOLE = 12  # (place, time) pairs that a thing is named with in one phrase
NUM_FOREIGN = 4  # places that a thing is named with in one phrase of a main language
SIDES = ("left", "right")
PLACED = {"ja": "{place}の{thing}", "zh": "{place}的{thing}"}  # word order; others: thing first

Key = tuple  # what a phrase says: ("thing", 3, "left", "en"), ("place", "snow", "de") and so on


@cache
def setting_words() -> Mapping:
    """Read the words for places, times, weathers and styles."""
    return yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8"))


def with_article(name: str) -> str:
    """Put the indefinite article before an English name: "an owl", "a unicorn"."""
    lower = name.lower()
    has_vowel = lower[0] in "aeiou" and not lower.startswith(("uni", "eu", "ufo", "one"))
    return f"{'an' if has_vowel or lower.startswith('hour') else 'a'} {name}"


def thing_with_article(thing: Thing, name: str) -> str:
    """Name a thing as one thing: "a fox", "bread", "the Earth"."""
    return name if thing.is_mass else with_article(name)


class Phrases:
    """The list of phrases, and which of them say a given thing.

    Args:
        table: the sprites.
        more: phrases with what they say, besides those of scenes.

    Attributes:
        texts: all phrases, sorted, each once; the place in the list is the phrase's id.
    """

    def __init__(self, table: SpriteTable, more: Iterable[tuple[Key, str]] = ()) -> None:
        wordings: dict[Key, list[str]] = {}
        for key, text in chain(_all_wordings(table), more):
            wordings.setdefault(key, []).append(text)
        _drop_shared(wordings)
        self.texts = tuple(sorted({text for texts in wordings.values() for text in texts}))
        ids = {text: index for index, text in enumerate(self.texts)}
        self._ids = {
            key: tuple(ids[text] for text in dict.fromkeys(texts))
            for key, texts in wordings.items()
        }

    def find(self, *key: object) -> tuple[int, ...]:
        """Return the ids of all phrases that say this, the usual one first; () if none does."""
        return self._ids.get(key, ())

    def main(self, *key: object) -> int:
        """Return the id of the usual phrase that says this.

        Raises:
            ValueError: if no phrase says it.
        """
        found = self.find(*key)
        if not found:
            raise ValueError(f"no phrase says {key}")
        return found[0]


def _all_wordings(table: SpriteTable) -> Iterator[tuple[Key, str]]:
    yield from _setting_wordings(table.styles)
    for index, (thing, words, kinds) in enumerate(
        zip(table.things, table.words, table.kinds, strict=True)
    ):
        for text in kinds:
            yield ("kind", index), text
        yield from _english_wordings(index, thing)
        yield from _foreign_wordings(index, words)
        yield from _whole_wordings(index, thing, words)


def _setting_wordings(styles: Sequence[str]) -> Iterator[tuple[Key, str]]:
    words = setting_words()
    style_words = {style: words["styles"].get(style, {}) for style in styles}
    groups = {
        "place": words["places"],
        "time": words["times"],
        "weather": words["weathers"],
        "style": style_words,
    }
    for kind, group in groups.items():
        for value, languages in group.items():
            for language, texts in languages.items():
                yield from (((kind, value, language), text) for text in texts)
    yield from _background_wordings(words)
    for place in (*OUTDOORS, "room", "underwater"):
        for time in TIMES if place in OUTDOORS else INDOORS[place]:
            moment = words["times"][time]["en"][0]
            for text in words["places"][place]["en"][:2]:
                yield ("place and time", place, time), f"{text} {moment}"


def _background_wordings(words: Mapping) -> Iterator[tuple[Key, str]]:
    for colour, languages in words["colours"].items():
        for language, names in languages.items():
            for template in words["backgrounds"][language]:
                yield from ((("place", colour, language), template.format(name)) for name in names)


def _english_wordings(index: int, thing: Thing) -> Iterator[tuple[Key, str]]:
    templates = setting_words()["english"]

    def fill(form: str, name: str, limit: int) -> Iterator[tuple[Key, str]]:
        one = thing_with_article(thing, name)
        for template in templates[form][:limit]:
            text = template.format(name, a=one, s=thing.plural)
            yield ("thing", index, "one" if form == "mass" else form, "en"), text

    names = (thing.name, *thing.synonyms)
    for name in names:
        limit = 4 if name == thing.name else 1 if thing.is_mass else 2
        yield from fill("mass" if thing.is_mass else "one", name, limit)
        for form in ("left", "right"):
            yield from fill(form, name, 2 if name == thing.name else 1)
    for form in ("middle", "front", "back"):
        yield from fill(form, thing.name, 2)
    if not thing.is_mass:
        for form in ("two", "big", "small"):
            yield from fill(form, thing.name, 4)
    if "flies" in thing.homes and not thing.is_mass:
        yield from fill("flying", thing.name, 2)


def _foreign_wordings(index: int, words: Mapping[str, Sequence[str]]) -> Iterator[tuple[Key, str]]:
    sides = setting_words()["sides"]
    for language, names in words.items():
        if language == "en":
            continue
        for name in names:
            yield ("thing", index, "one", language), name
        if language in MAIN_LANGUAGES:
            for side in SIDES:
                yield ("thing", index, side, language), sides[language][side].format(names[0])


def _whole_wordings(
    index: int, thing: Thing, words: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Key, str]]:
    """Yield phrases that name a thing together with its place or time or both.

    Not every combination is listed: the encoder places the missing ones between the others.
    """
    rng, setting = Random(index), setting_words()
    one = thing_with_article(thing, thing.name)
    places = {place: texts["en"][0] for place, texts in setting["places"].items()}
    for colour in PLAIN:
        places[colour] = setting["backgrounds"]["en"][0].format(setting["colours"][colour]["en"][0])
    moments = {time: texts["en"][0] for time, texts in setting["times"].items()}
    for place, text in places.items():
        yield ("thing and place", index, place, "en"), f"{one} {text}"
    for time, text in moments.items():
        yield ("thing and time", index, time), f"{one} {text}"
    pairs = [(place, time) for place in OUTDOORS for time in TIMES]
    for place, time in rng.sample(pairs, NUM_WHOLE):
        yield ("whole", index, place, time), f"{one} {places[place]} {moments[time]}"
    for language in MAIN_LANGUAGES:
        for place in rng.sample(list(setting["places"]), NUM_FOREIGN):
            text, name = setting["places"][place][language][0], words[language][0]
            template = PLACED.get(language, "{thing} {place}")
            whole = template.format(thing=name, place=text)
            yield ("thing and place", index, place, language), whole


def _drop_shared(wordings: dict[Key, list[str]]) -> None:
    """Drop names that several things share, so that a phrase says one thing only.

    A thing keeps a shared name in a language where it has no other.
    """
    owners: Counter = Counter()
    for key, texts in wordings.items():
        if key[0] == "thing":
            owners.update({(text.casefold(), key[1]) for text in texts})
    num_owners = Counter(text for text, _ in owners)
    for key, texts in wordings.items():
        if key[0] == "thing":
            clear = [text for text in texts if num_owners[text.casefold()] == 1]
            wordings[key] = clear or texts[:1]
