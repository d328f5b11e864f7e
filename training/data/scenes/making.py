"""Makes descriptions of scenes from a seed and an index."""

from collections.abc import Sequence

from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import HORIZONS, PLAIN, Scene, all_settings, scene_random
from training.data.scenes.layout import place_things

NUM_THINGS = (1, 2, 3)
NUM_THINGS_WEIGHTS = (0.36, 0.44, 0.2)
PLAIN_PART = 0.16  # of the scenes
TWIN_PART = 0.1  # of the scenes with several things show two of a kind


def make_scene(table: SpriteTable, seed: int, index: int) -> Scene:
    """Make the description of one scene; equal arguments give equal scenes."""
    rng = scene_random(seed, index)
    settings = all_settings()
    if rng.random() < PLAIN_PART:
        place, time, weather = rng.choice(list(PLAIN)), "", ""
    else:
        place = rng.choice(sorted({name for name, _, _ in settings} - set(PLAIN)))
        time, weather = rng.choice([entry[1:] for entry in settings if entry[0] == place])
    style = rng.randrange(len(table.styles))
    (number,) = rng.choices(NUM_THINGS, NUM_THINGS_WEIGHTS)
    things = rng.sample(range(len(table.things)), number)
    if number > 1 and rng.random() < TWIN_PART:
        things[1] = things[0]
    return build_scene(table, seed, index, style, (place, time, weather), things)


def build_scene(
    table: SpriteTable,
    seed: int,
    index: int,
    style: int,
    setting: tuple[str, str, str],
    things: Sequence[int],
) -> Scene:
    """Place given things in a given setting; seed and index decide all the rest."""
    place, time, weather = setting
    rng = scene_random(seed, index, purpose=1)
    low, high = HORIZONS.get(place, (1.0, 1.0))
    horizon = rng.uniform(low, high)
    placements = place_things(table, things, style, place, horizon, rng)
    return Scene(seed, index, style, place, time, weather, horizon, rng.getrandbits(62), placements)
