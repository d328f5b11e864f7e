"""Splits, label names and attribution of the emoji set."""

from itertools import chain

import numpy as np
import pytest

from tests.training.data.emoji_rows import NUM_STYLES, make_rows, make_table
from training.data.emoji_sources import METADATA, PACKS, STYLES
from training.data.emoji_tables import attribution_text, build_label_names, split_rows


def test_splits_are_disjoint_complete_and_keep_held_out_emoji_in_two_other_styles() -> None:
    rows = make_rows()
    splits = split_rows(rows, np.random.default_rng(3), num_validation=20, num_held_out=30)
    assert [len(splits[name]) for name in ("validation", "held_out")] == [20, 30]
    assert sorted(chain.from_iterable(splits.values())) == list(range(len(rows)))
    for index in splits["held_out"]:
        others = {
            rows[other].style
            for other in splits["train"]
            if rows[other].key == rows[index].key and rows[other].style != rows[index].style
        }
        assert len(others) >= 2
    assert len({rows[index].style for index in splits["held_out"]}) == NUM_STYLES


def test_splits_depend_on_the_generator_alone() -> None:
    def split(seed: int) -> dict[str, list[int]]:
        return split_rows(make_rows(), np.random.default_rng(seed), 20, 30)

    assert split(1) == split(1)
    assert split(1) != split(2)


def test_split_refuses_more_held_out_pairs_than_the_rows_allow() -> None:
    with pytest.raises(ValueError, match="can be held out"):
        split_rows(make_rows(5), np.random.default_rng(0), num_validation=0, num_held_out=11)


def test_label_names_give_each_emoji_its_category() -> None:
    rows = make_rows()
    names = build_label_names(rows, make_table(rows))
    category, emoji, style = names["attributes"]
    assert [part["name"] for part in (category, emoji, style)] == ["category", "emoji", "style"]
    assert style["values"] == list(STYLES)
    by_label = {row.label: row.subgroup for row in rows}
    implied = [category["values"][index] for index in names["implies"]["emoji"]["category"]]
    assert implied == [by_label[label] for label in emoji["values"]]
    assert len(names["emoji"]["characters"]) == len(names["emoji"]["tags"]) == 60


def test_attribution_names_every_package() -> None:
    text = attribution_text()
    for package in (METADATA, *(pack.package for pack in PACKS)):
        assert f"{package.name} {package.version}" in text
