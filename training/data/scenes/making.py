"""Makes descriptions of scenes from a seed and an index: for training, validation, measuring."""

from collections.abc import Sequence
from random import Random

from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import (
    HORIZONS,
    PLACES,
    PLAIN,
    Scene,
    all_settings,
    scene_random,
)
from training.data.scenes.held_out import KINDS, HeldOut, Setting, choose_held_out
from training.data.scenes.layout import place_things

NUM_THINGS = (1, 2, 3)
NUM_THINGS_WEIGHTS = (0.36, 0.44, 0.2)
PLAIN_PART = 0.16  # of the scenes
TWIN_PART = 0.1  # of the scenes with several things show two of a kind
NUM_DRAWS = 1000  # tries to find what is not held out
VALIDATION_SEED = 2**31 - 1  # never to be trained on
HELD_OUT_SEED = 2**31 - 2
SETTINGS = {place: [entry for entry in all_settings() if entry[0] == place] for place in PLACES}
LANDSCAPES = tuple(place for place in PLACES if place not in PLAIN)


def held_out_of(table: SpriteTable) -> HeldOut:
    """Return what is held out of training with this sprite table."""
    return choose_held_out(table.names, table.styles)


def make_scene(
    table: SpriteTable, seed: int, index: int, among: Sequence[int] | None = None
) -> Scene:
    """Make the description of one scene for training; equal arguments give equal scenes.

    Args:
        table: the sprites.
        seed: seed of the run, in [0, VALIDATION_SEED - 1).
        index: number of the scene.
        among: things that may be shown; None stands for all.

    Raises:
        ValueError: if seed or index are out of range, or `among` names no or unknown things.
    """
    return build_scene(table, seed, index, *draw_combination(table, seed, index, among))


def draw_combination(
    table: SpriteTable, seed: int, index: int, among: Sequence[int] | None = None
) -> tuple[int, Setting, list[int]]:
    """Draw style, setting and things of a scene for training, none of them held out."""
    things = range(len(table.things)) if among is None else among
    if not len(things) or not 0 <= min(things) <= max(things) < len(table.things):
        raise ValueError(f"among must name some of {len(table.things)} things, got {among!r}")
    rng = scene_random(seed, index)
    held_out = held_out_of(table)
    for _ in range(NUM_DRAWS):
        setting = _draw_setting(rng)
        style = rng.randrange(len(table.styles))
        chosen = _draw_things(rng, things)
        if not held_out.has(chosen, style, setting):
            return style, setting, chosen
    raise ValueError(f"everything that the things {list(things)[:5]} can show is held out")


def make_validation_scene(table: SpriteTable, index: int) -> Scene:
    """Make a scene of trained combinations that training never shows."""
    return make_scene(table, VALIDATION_SEED, index)


def make_held_out_scene(table: SpriteTable, kind: str, index: int) -> Scene:
    """Make a scene of a combination that training never shows; nothing else in it is held out.

    Args:
        table: the sprites.
        kind: what is new: "style" (one thing in a style), "pair" (two things together) or
            "setting" (one or two things in a place at a time in a weather).
        index: number of the scene; all combinations of the kind take turns.

    Raises:
        ValueError: if the kind is none of these, or the table is too small to hold any out.
    """
    held_out = held_out_of(table)
    choices = {"style": held_out.styles, "pair": held_out.pairs, "setting": held_out.settings}
    if not choices.get(kind):
        raise ValueError(f"kind must be one of {', '.join(KINDS)} that is held out, got {kind!r}")
    chosen = choices[kind][index % len(choices[kind])]
    rng = scene_random(HELD_OUT_SEED, index, purpose=2 + KINDS.index(kind))
    for _ in range(NUM_DRAWS):
        setting, style = _draw_setting(rng), rng.randrange(len(table.styles))
        things = rng.sample(range(len(table.things)), rng.choice((1, 2)))
        if kind == "setting":
            setting = chosen
        elif kind == "style":
            things, style = list(chosen[:1]), chosen[1]
        else:
            things = list(chosen)
        surprises = {
            "style": held_out.has_style(things, style),
            "pair": held_out.has_pair(things),
            "setting": held_out.has_setting(setting),
        }
        if surprises.pop(kind) and not any(surprises.values()):
            seed = HELD_OUT_SEED - 1 - KINDS.index(kind)
            return build_scene(table, seed, index, style, setting, things)
    raise ValueError(f"no scene shows {chosen} without something else that is held out")


def _draw_setting(rng: Random) -> Setting:
    places = tuple(PLAIN) if rng.random() < PLAIN_PART else LANDSCAPES
    return rng.choice(SETTINGS[rng.choice(places)])


def _draw_things(rng: Random, things: Sequence[int]) -> list[int]:
    (number,) = rng.choices(NUM_THINGS, NUM_THINGS_WEIGHTS)
    chosen = rng.sample(things, min(number, len(things)))
    if len(chosen) > 1 and rng.random() < TWIN_PART:
        chosen[1] = chosen[0]
    return chosen


def build_scene(
    table: SpriteTable,
    seed: int,
    index: int,
    style: int,
    setting: Setting,
    things: Sequence[int],
) -> Scene:
    """Place given things in a given setting; seed and index decide all the rest."""
    place, time, weather = setting
    rng = scene_random(seed, index, purpose=1)
    low, high = HORIZONS.get(place, (1.0, 1.0))
    horizon = rng.uniform(low, high)
    placements = place_things(table, things, style, place, horizon, rng)
    return Scene(seed, index, style, place, time, weather, horizon, rng.getrandbits(62), placements)
