"""Emoji keys are found from code points and names."""

import json

import pytest

from tests.training.data.emoji_rows import make_emoji
from training.data.emoji_names import (
    NameIndex,
    emoji_key,
    label_slug,
    match_sequences,
    read_emoji,
    unique_labels,
)


@pytest.mark.parametrize(
    ("sequence", "key"),
    [
        ("0023-fe0f-20e3", "23-20E3"),
        ("1f441-fe0f-200d-1f5e8-fe0f", "1F441-200D-1F5E8"),
        ("00a9-fe0f", "A9"),
        ("1F600", "1F600"),
    ],
)
def test_key_drops_variation_selectors_and_leading_zeros(sequence: str, key: str) -> None:
    assert emoji_key(sequence) == key


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("one o\u2019clock", "one-oclock"),
        ("Mrs. Claus", "mrs-claus"),
        ("pi\u00f1ata", "pinata"),
        ("flag: Trinidad & Tobago", "flag-trinidad-and-tobago"),
        ("Japanese \u201creserved\u201d button", "japanese-reserved-button"),
        ("ON! arrow", "on-arrow"),
        ("keycap: #", "keycap"),
    ],
)
def test_slug_spells_labels_like_icon_names(label: str, slug: str) -> None:
    assert label_slug(label) == slug


def test_sequences_match_known_keys_that_have_a_picture_and_the_first_wins() -> None:
    table = {"A9": make_emoji("A9", "copyright"), "AE": make_emoji("AE", "registered")}
    chars = {"00a9-fe0f": "first", "a9": "second", "ae": "no-picture", "1f600": "first"}
    assert match_sequences(chars, ["first", "second"], table) == {"A9": "first"}


def test_names_match_remembered_names_before_slugs_before_joined_spellings() -> None:
    table = {
        key: make_emoji(key, label)
        for key, label in {
            "1": "red heart",
            "2": "love letter",
            "3": "flag: Chad",
            "4": "heart",
        }.items()
    }
    index = NameIndex(table)
    index.remember({"1": "heart"})
    matches = index.match(["loveletter", "heart", "flag-for-chad", "unknown", "love-letter"])
    assert matches == {"2": "loveletter", "1": "heart", "3": "flag-for-chad"}


def test_metadata_skips_ungrouped_entries_and_points_skin_tones_to_their_base() -> None:
    data = [
        {"label": "regional indicator A", "hexcode": "1F1E6", "emoji": "A"},
        {
            "label": "waving hand",
            "hexcode": "1F44B",
            "emoji": "B",
            "tags": ["wave"],
            "group": 1,
            "subgroup": 16,
            "skins": [{"label": "waving hand: light", "hexcode": "1F44B-1F3FB", "emoji": "C"}],
        },
    ]
    names = {"groups": {"1": "people-body"}, "subgroups": {"16": "hand"}}
    table = read_emoji(json.dumps(data).encode(), json.dumps(names).encode())
    assert list(table) == ["1F44B", "1F44B-1F3FB"]
    assert not table["1F44B"].has_skin_tone
    tone = table["1F44B-1F3FB"]
    assert (tone.has_skin_tone, tone.base_key, tone.tags) == (True, "1F44B", ("wave",))
    assert (tone.group, tone.subgroup) == ("people-body", "hand")


def test_labels_met_twice_get_their_character() -> None:
    emoji = [make_emoji("41", "same"), make_emoji("42", "same"), make_emoji("43", "other")]
    assert unique_labels(emoji) == {"41": "same (A)", "42": "same (B)", "43": "other"}
