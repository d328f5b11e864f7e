"""Fixed sets of prompts; each prompt comes with the real scene that it describes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice

from training.data.scenes import (
    Scene,
    SpriteTable,
    build_scene,
    make_held_out_scene,
    make_validation_scene,
)
from training.data.scenes.captions import MAX_PHRASES, weather_word
from training.data.scenes.making import HELD_OUT_SEED
from training.data.scenes.phrases import MAIN_LANGUAGES
from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.free_prompts import read_free_prompts
from training.evaluation.scenes.questions import things_of
from var_core.text import split_prompt

FACTS_SEED = HELD_OUT_SEED  # of scenes with given facts; neither trained on nor in another set
VARIATIONS = 64  # numbers that are kept for the scenes with the facts of one scene
LARGE, MEDIUM, SMALL = 1000, 300, 150


@dataclass(frozen=True)
class Case:
    """A prompt, and what it asks for.

    Attributes:
        scene: real scene with all that is asked for.
        phrases: words of the prompt.
        style: name of the style that is asked for; None leaves it open.
    """

    scene: Scene
    phrases: tuple[str, ...]
    style: str | None


@dataclass(frozen=True)
class PromptSet:
    """A set of prompts.

    Attributes:
        size: number of its prompts.
        cases: function that returns them without end, or all there are.
    """

    size: int
    cases: Callable[[ScenePictures], Iterator[Case]]


def caption_case(pictures: ScenePictures, scene: Scene) -> Case:
    """The usual English words for everything in a scene."""
    texts = [pictures.phrases.texts[index] for index in pictures.captioner.full_caption(scene)]
    return Case(scene, tuple(texts), pictures.table.styles[scene.style])


def foreign_case(pictures: ScenePictures, scene: Scene, language: str) -> Case:
    """The first words of another language for everything in a scene."""
    keys: list[tuple[object, ...]] = [
        ("thing", thing, "one", language) for thing in sorted(things_of(scene))
    ]
    facts = (("place", scene.place), ("time", scene.time), ("weather", weather_word(scene)))
    keys += [(kind, value, language) for kind, value in facts if value]
    texts = tuple(pictures.phrases.texts[pictures.phrases.main(*key)] for key in keys)
    return Case(scene, texts, pictures.table.styles[scene.style])


def scene_with_facts(table: SpriteTable, scene: Scene, number: int) -> Scene:
    """Another scene with the style, place, time, weather and things of a scene.

    Args:
        table: the sprites.
        scene: scene that is made from an index below 2**41.
        number: number of the other scene, from 0 to 63.

    Raises:
        ValueError: if the number is out of range.
    """
    if not 0 <= number < VARIATIONS:
        raise ValueError(f"number must lie in 0..{VARIATIONS - 1}, got {number}")
    things = [placement.thing for placement in scene.placements]
    setting = (scene.place, scene.time, scene.weather)
    index = scene.index * VARIATIONS + number
    return build_scene(table, FACTS_SEED, index, scene.style, setting, things)


def shows(scene: Scene, num_things: int) -> bool:
    """Whether a scene shows so many different things, each of them once."""
    return len(things_of(scene)) == num_things == len(scene.placements)


def validation_scenes(table: SpriteTable, num_things: int = 0) -> Iterator[Scene]:
    """Validation scenes in their order, with so many different things; 0 stands for any."""
    scenes = (make_validation_scene(table, index) for index in count())
    return (scene for scene in scenes if not num_things or shows(scene, num_things))


def held_out_scenes(table: SpriteTable, kind: str, num_things: int) -> Iterator[Scene]:
    """Scenes of held-out combinations in their order, with so many different things."""
    scenes = (make_held_out_scene(table, kind, index) for index in count())
    return (scene for scene in scenes if shows(scene, num_things))


def _in_english(find: Callable[[SpriteTable], Iterable[Scene]]) -> Callable:
    def cases(pictures: ScenePictures) -> Iterator[Case]:
        return (caption_case(pictures, scene) for scene in find(pictures.table))

    return cases


def _in_languages(pictures: ScenePictures) -> Iterator[Case]:
    for index, scene in enumerate(validation_scenes(pictures.table, 1)):
        yield foreign_case(pictures, scene, MAIN_LANGUAGES[index % len(MAIN_LANGUAGES)])


def _in_free_words(pictures: ScenePictures) -> Iterator[Case]:
    """Prompts that name a thing alone; the real scenes have settings of validation scenes."""
    table, others = pictures.table, validation_scenes(pictures.table, 1)
    for number, prompt in enumerate(read_free_prompts()):
        if prompt.thing not in table.names:
            continue
        other = next(others)
        setting = (other.place, other.time, other.weather)
        things = [table.names.index(prompt.thing)]
        scene = build_scene(table, FACTS_SEED, 2**40 + number, other.style, setting, things)
        yield Case(scene, split_prompt(prompt.text, MAX_PHRASES), None)


SETS = {
    "one_thing": PromptSet(LARGE, _in_english(lambda table: validation_scenes(table, 1))),
    "two_things": PromptSet(LARGE, _in_english(lambda table: validation_scenes(table, 2))),
    "new_styles": PromptSet(MEDIUM, _in_english(lambda table: held_out_scenes(table, "style", 1))),
    "new_pairs": PromptSet(MEDIUM, _in_english(lambda table: held_out_scenes(table, "pair", 2))),
    "new_settings_one_thing": PromptSet(
        SMALL, _in_english(lambda table: held_out_scenes(table, "setting", 1))
    ),
    "new_settings_two_things": PromptSet(
        SMALL, _in_english(lambda table: held_out_scenes(table, "setting", 2))
    ),
    "languages": PromptSet(MEDIUM, _in_languages),
    "free_words": PromptSet(100, _in_free_words),
}


def prompt_cases(pictures: ScenePictures, name: str, limit: int = 0) -> list[Case]:
    """The cases of a set, the first `limit` of them where it is not 0."""
    chosen = SETS[name]
    return list(islice(chosen.cases(pictures), min(chosen.size, limit or chosen.size)))
