"""Emoji keys from names and code points: one key per Unicode sequence, the same in all packs."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Emoji:
    """Names and groups of one key."""

    key: str
    label: str
    character: str
    group: str
    subgroup: str
    tags: tuple[str, ...]
    base_key: str  # the same as `key` unless the key is a skin-tone variant

    @property
    def has_skin_tone(self) -> bool:
        """Whether this is a skin-tone variant of another key."""
        return self.key != self.base_key


def emoji_key(sequence: str) -> str:
    """Normalise a sequence of hex code points: "0023-fe0f-20e3" -> "23-20E3"."""
    parts = (part.lstrip("0") for part in sequence.upper().split("-"))
    return "-".join(part for part in parts if part != "FE0F")


def label_slug(label: str) -> str:
    """Write a label the way icon packs write names: "Mrs. Claus" -> "mrs-claus"."""
    text = unicodedata.normalize("NFKD", label).replace("&", "and")
    text = re.sub("['\u2018\u2019\u02bc\"\u201c\u201d.!]", "", text)
    text = text.encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", text).strip("-")


def read_emoji(data_json: bytes, groups_json: bytes) -> dict[str, Emoji]:
    """Read emojibase's tables: key -> emoji, in file order, skin tones after their base.

    Args:
        data_json: content of `en/data.json`.
        groups_json: content of `meta/groups.json`, names of groups and subgroups by id.
    """
    names = json.loads(groups_json)
    table: dict[str, Emoji] = {}
    for entry in json.loads(data_json):
        if "group" not in entry:  # regional indicators
            continue
        base_key = emoji_key(entry["hexcode"])
        for variant in (entry, *entry.get("skins", ())):
            key = emoji_key(variant["hexcode"])
            table[key] = Emoji(
                key=key,
                label=variant["label"],
                character=variant["emoji"],
                group=names["groups"][str(entry["group"])],
                subgroup=names["subgroups"][str(entry["subgroup"])],
                tags=tuple(entry.get("tags", ())),
                base_key=base_key,
            )
    return table


def unique_labels(emoji: Iterable[Emoji]) -> dict[str, str]:
    """Give each key a label of its own: a label met twice gets its character appended."""
    rows = list(emoji)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.label] = counts.get(row.label, 0) + 1
    return {
        row.key: row.label if counts[row.label] == 1 else f"{row.label} ({row.character})"
        for row in rows
    }


def match_sequences(
    chars: Mapping[str, str], icon_names: Iterable[str], table: Mapping[str, Emoji]
) -> dict[str, str]:
    """Match a pack that lists the sequence of each icon: key -> icon name.

    Args:
        chars: hex sequence -> icon name; aliases without an icon are skipped.
        icon_names: the icons that have a picture.
        table: the known keys.
    """
    pictures = set(icon_names)
    matches: dict[str, str] = {}
    for sequence, name in chars.items():
        key = emoji_key(sequence)
        if name in pictures and key in table:
            matches.setdefault(key, name)
    return matches


class NameIndex:
    """Finds the key that an icon name stands for.

    Names remembered from packs with known sequences go before slugs of labels, and exact
    spellings before spellings without hyphens.
    """

    def __init__(self, table: Mapping[str, Emoji]) -> None:
        self.names: dict[str, str] = {}
        # Where two labels share a slug ("keycap: #", "keycap: *") the later one has it.
        self.slugs = {label_slug(emoji.label): key for key, emoji in table.items()}

    def remember(self, matches: Mapping[str, str]) -> None:
        """Add the icon names of a matched pack (key -> icon name); the first meaning stays."""
        for key, name in matches.items():
            self.names.setdefault(name, key)

    def match(self, icon_names: Iterable[str]) -> dict[str, str]:
        """Match a pack by its icon names alone: key -> icon name, the first icon of a key wins."""
        joined: dict[str, str] = {}
        for lookup in (self.names, self.slugs):
            for name, key in lookup.items():
                joined.setdefault(name.replace("-", ""), key)
        matches: dict[str, str] = {}
        for icon_name in icon_names:
            name = re.sub("^flag-for-", "flag-", icon_name)
            key = self.names.get(name) or self.slugs.get(name) or joined.get(name.replace("-", ""))
            if key is not None:
                matches.setdefault(key, icon_name)
        return matches
