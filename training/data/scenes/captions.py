"""Captions: phrases that are true of a scene, of which some are left out."""

from collections.abc import Sequence
from random import Random

from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import Placement, Scene
from training.data.scenes.layout import placement_box
from training.data.scenes.phrases import Phrases
from training.data.scenes.thing_words import LANGUAGES

MAX_PHRASES = 8
ENGLISH_PART = 0.6  # of the captions; the others are in one other language
KEEP_THING, KEEP_PLACE, KEEP_TIME = 0.92, 0.8, 0.72  # chance that it is named
KEEP_WEATHER, KEEP_CLEAR, KEEP_STYLE = 0.65, 0.25, 0.06
WHOLE_PART = 0.3  # of the captions name a thing and its place in one phrase
KIND_PART = 0.04  # of the things are named by their kind only: "an animal"
AGAIN_PART = 0.1  # of the things are named twice
LEFT_END, RIGHT_BEGIN = 0.4, 0.6  # x of a thing's centre
BIG, SMALL = 0.66, 0.36  # size from which and up to which a thing is called so
STEP_BACK = 0.07  # distance of the feet from which one thing is in front of another


class Captioner:
    """Writes captions for the scenes of one sprite table, as ids of phrases."""

    def __init__(self, table: SpriteTable, phrases: Phrases) -> None:
        self.table = table
        self.phrases = phrases

    def caption(self, scene: Scene, rng: Random) -> list[int]:
        """Return between one and eight phrases in any order; all are true of the scene."""
        language = "en"
        if rng.random() >= ENGLISH_PART:
            language = rng.choice([name for name in LANGUAGES if name != "en"])
        things = list(dict.fromkeys(placement.thing for placement in scene.placements))
        rng.shuffle(things)
        ids: list[int] = []
        said = self._say_whole(scene, things, language, rng, ids)
        for thing in things:
            if thing not in said and rng.random() < KEEP_THING:
                ids.append(self._say_thing(scene, thing, language, rng))
                more = self.true_forms(scene, thing)[1:]
                if more and rng.random() < AGAIN_PART:
                    ids.append(self._say_form(thing, rng.choice(more), language, rng))
        ids += self._say_setting(scene, language, said, rng)
        if not ids:
            ids.append(self.phrases.main("thing", things[0], "one", language))
        ids = list(dict.fromkeys(ids))
        rng.shuffle(ids)
        return ids[:MAX_PHRASES]

    def full_caption(self, scene: Scene) -> list[int]:
        """Return the usual English phrase for everything: things, place, time, weather."""
        counts = count_things(scene)
        ids = [
            self.phrases.main("thing", thing, self._number_form(thing, count), "en")
            for thing, count in counts.items()
        ]
        facts = (("place", scene.place), ("time", scene.time), ("weather", weather_word(scene)))
        ids += [self.phrases.main(kind, value, "en") for kind, value in facts if value]
        return ids[:MAX_PHRASES]

    def _number_form(self, thing: int, count: int) -> str:
        return "two" if count == 2 and not self.table.things[thing].is_mass else "one"

    def _say_whole(
        self, scene: Scene, things: Sequence[int], language: str, rng: Random, ids: list[int]
    ) -> set:
        """Perhaps add one phrase for a thing with its place or time; returns what was said."""
        thing = things[0]
        if rng.random() >= WHOLE_PART or count_things(scene)[thing] > 1:
            return set()
        ways = [
            (("thing and place", thing, scene.place, language), (thing, "place")),
        ]
        if language == "en":
            ways += [
                (("whole", thing, scene.place, scene.time), (thing, "place", "time")),
                (("thing and time", thing, scene.time), (thing, "time")),
            ]
        ways = [way for way in ways if self.phrases.find(*way[0])]
        if not ways:
            return set()
        key, said = rng.choice(ways)
        ids.append(rng.choice(self.phrases.find(*key)))
        return set(said)

    def _say_thing(self, scene: Scene, thing: int, language: str, rng: Random) -> int:
        kinds = self.phrases.find("kind", thing)
        if kinds and language == "en" and rng.random() < KIND_PART:
            return rng.choice(kinds)
        forms = self.true_forms(scene, thing)
        form = forms[0] if rng.random() < 0.5 else rng.choice(forms)
        return self._say_form(thing, form, language, rng)

    def _say_form(self, thing: int, form: str, language: str, rng: Random) -> int:
        found = self.phrases.find("thing", thing, form, language)
        return rng.choice(found or self.phrases.find("thing", thing, "one", language))

    def true_forms(self, scene: Scene, thing: int) -> list[str]:
        """Return the ways to name a thing that are true in this scene, the usual one first."""
        shown = [placement for placement in scene.placements if placement.thing == thing]
        if len(shown) > 1:
            return [self._number_form(thing, len(shown))]
        (placement,) = shown
        forms = ["one"]
        if placement.x < LEFT_END:
            forms.append("left")
        elif placement.x > RIGHT_BEGIN:
            forms.append("right")
        elif len(scene.placements) > 1 or abs(placement.x - 0.5) < 0.05:
            forms.append("middle")
        if placement.size >= BIG:
            forms.append("big")
        elif placement.size <= SMALL:
            forms.append("small")
        if placement.home == "flies":
            forms.append("flying")
        return forms + self._depth_forms(scene, placement)

    def _depth_forms(self, scene: Scene, placement: Placement) -> list[str]:
        others = [other for other in scene.placements if other is not placement]
        standing = [other for other in (placement, *others) if other.home in ("ground", "swims")]
        if not others or len(standing) < len(scene.placements):
            return []
        feet = {
            id(other): placement_box(self.table, scene.style, other).bottom for other in standing
        }
        foot = feet.pop(id(placement))
        if foot > max(feet.values()) + STEP_BACK:
            return ["front"]
        return ["back"] if foot < min(feet.values()) - STEP_BACK else []

    def _say_setting(self, scene: Scene, language: str, said: set, rng: Random) -> list[int]:
        ids: list[int] = []
        joint = self.phrases.find("place and time", scene.place, scene.time)
        if joint and language == "en" and not said and rng.random() < 0.2:
            ids.append(rng.choice(joint))
            said = {"place", "time"}
        weather = weather_word(scene)
        chances = (
            ("place", scene.place, KEEP_PLACE),
            ("time", scene.time, KEEP_TIME),
            ("weather", weather, KEEP_CLEAR if scene.weather == "clear" else KEEP_WEATHER),
            ("style", self.table.styles[scene.style], KEEP_STYLE),
        )
        for kind, value, chance in chances:
            if value and kind not in said and rng.random() < chance:
                found = self.phrases.find(kind, value, language)
                if found:
                    ids.append(found[0] if rng.random() < 0.4 else rng.choice(found))
        return ids


def count_things(scene: Scene) -> dict[int, int]:
    """Return how often each thing is shown."""
    counts: dict[int, int] = {}
    for placement in scene.placements:
        counts[placement.thing] = counts.get(placement.thing, 0) + 1
    return counts


def weather_word(scene: Scene) -> str:
    """Return the word for a scene's weather: a clear night shows stars."""
    return "stars" if (scene.time, scene.weather) == ("night", "clear") else scene.weather
