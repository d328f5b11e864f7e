"""Things in motions that training never shows, so that invention can be measured."""

import hashlib
from collections import Counter
from functools import lru_cache

from training.data.motion.moves import MOTIONS, motions_of
from training.data.scenes.atlas import SpriteTable

NUM_PAIRS = 60
MOST_OF_A_MOTION = 8

Pair = tuple[int, str]  # thing, motion


def held_out_motions(table: SpriteTable) -> tuple[Pair, ...]:
    """Return the pairs that are kept out of training.

    Each thing is seen in other motions, each motion with other things. Small tables, as in tests,
    hold out at most a tenth of all pairs.
    """
    return _choose(table.names, tuple(thing.homes for thing in table.things))


@lru_cache(maxsize=8)
def _choose(names: tuple[str, ...], homes: tuple[tuple[str, ...], ...]) -> tuple[Pair, ...]:
    pairs = [(thing, motion) for thing in range(len(names)) for motion in motions_of(homes[thing])]
    pairs.sort(key=lambda pair: _rank(names[pair[0]], pair[1]))
    limit = min(NUM_PAIRS, len(pairs) // 10)
    counts: Counter[str] = Counter()
    chosen: dict[int, str] = {}
    for thing, motion in pairs:
        if len(chosen) < limit and thing not in chosen and counts[motion] < MOST_OF_A_MOTION:
            counts[motion] += 1
            chosen[thing] = motion
    return tuple(sorted(chosen.items(), key=lambda pair: (MOTIONS.index(pair[1]), pair[0])))


def _rank(*parts: str) -> bytes:
    return hashlib.sha256("|".join(("held out motion", *parts)).encode()).digest()
