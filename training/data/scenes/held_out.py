"""What training never shows, so that invention can be measured.

Three kinds, chosen by hashes of names, so that a longer list of things changes little:
a thing in a style (the thing is seen in the other styles), two things together (each is seen with
others), and a place with a time and a weather (any two of the three are seen together).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

from training.data.scenes.description import OUTDOORS, all_settings

NUM_STYLE_PAIRS = 100
NUM_THING_PAIRS = 300
NUM_SETTINGS = 40
MAX_PAIRS_OF_A_THING = 4
MAX_SETTINGS_OF_A_PLACE = 5
KINDS = ("style", "pair", "setting")

Setting = tuple[str, str, str]  # place, time, weather


@dataclass(frozen=True)
class HeldOut:
    """The combinations kept out of training; things and styles by index."""

    styles: tuple[tuple[int, int], ...]  # thing, style
    pairs: tuple[tuple[int, int], ...]  # two things, the smaller index first
    settings: tuple[Setting, ...]

    @cached_property
    def known(self) -> tuple[frozenset, frozenset, frozenset]:
        """Return the three kinds as sets: styles, pairs, settings."""
        return frozenset(self.styles), frozenset(self.pairs), frozenset(self.settings)

    def has_style(self, things: Iterable[int], style: int) -> bool:
        """Return whether one of the things is held out in this style."""
        return any((thing, style) in self.known[0] for thing in things)

    def has_pair(self, things: Sequence[int]) -> bool:
        """Return whether two of the things are held out together."""
        return any(pair in self.known[1] for pair in combinations(sorted(set(things)), 2))

    def has_setting(self, setting: Setting) -> bool:
        """Return whether this place, time and weather are held out."""
        return setting in self.known[2]

    def has(self, things: Sequence[int], style: int, setting: Setting) -> bool:
        """Return whether training must not show this."""
        return self.has_setting(setting) or self.has_style(things, style) or self.has_pair(things)


@lru_cache(maxsize=8)
def choose_held_out(names: tuple[str, ...], styles: tuple[str, ...]) -> HeldOut:
    """Choose what is held out from these things and styles.

    Small lists, as in tests, hold out at most a tenth of each kind.
    """
    return HeldOut(
        styles=_choose_styles(names, styles),
        pairs=_choose_pairs(names),
        settings=choose_settings(),
    )


def _rank(*parts: str) -> bytes:
    return hashlib.sha256("|".join(("held out", *parts)).encode()).digest()


def _choose_styles(names: Sequence[str], styles: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Choose at most one style of a thing."""
    entries = [(thing, style) for thing in range(len(names)) for style in range(len(styles))]
    entries.sort(key=lambda entry: _rank(names[entry[0]], styles[entry[1]]))
    limit = min(NUM_STYLE_PAIRS, len(entries) // 9) if len(styles) > 1 else 0
    chosen: dict[int, int] = {}
    for thing, style in entries:
        if len(chosen) < limit:
            chosen.setdefault(thing, style)
    return tuple(sorted(chosen.items()))


def _choose_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    pairs = list(combinations(range(len(names)), 2))
    pairs.sort(key=lambda pair: _rank(*sorted(names[thing] for thing in pair)))
    limit = min(NUM_THING_PAIRS, len(pairs) // 10)
    counts: Counter = Counter()
    chosen = []
    for pair in pairs:
        if len(chosen) < limit and all(counts[thing] < MAX_PAIRS_OF_A_THING for thing in pair):
            counts.update(pair)
            chosen.append(pair)
    return tuple(sorted(chosen))


@lru_cache(maxsize=1)
def choose_settings() -> tuple[Setting, ...]:
    """Choose settings such that training shows any two of place, time and weather together."""
    settings = [setting for setting in all_settings() if setting[0] in OUTDOORS]
    counts: Counter = Counter(part for setting in settings for part in combinations(setting, 2))
    chosen: list[Setting] = []
    for setting in sorted(settings, key=lambda setting: _rank(*setting)):
        parts = list(combinations(setting, 2))
        num_chosen = sum(other[0] == setting[0] for other in chosen)
        is_free = num_chosen < MAX_SETTINGS_OF_A_PLACE and all(counts[part] > 1 for part in parts)
        if is_free and len(chosen) < NUM_SETTINGS:
            counts.subtract(parts)
            chosen.append(setting)
    return tuple(sorted(chosen))
