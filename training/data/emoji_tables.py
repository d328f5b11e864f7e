"""The tables beside the emoji pictures: rows, splits, label names and attribution."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.emoji_names import Emoji
from training.data.emoji_sources import METADATA, PACKS, STYLES

NUM_VALIDATION = 256
NUM_HELD_OUT = 400
MIN_OTHER_STYLES = 2  # styles that a held-out emoji keeps in the training split

LICENCE_LINKS = {
    "Apache-2.0": "[Apache-2.0](https://www.apache.org/licenses/LICENSE-2.0)",
    "CC-BY-4.0": "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)",
    "MIT": "[MIT](https://opensource.org/license/mit)",
}


@dataclass(frozen=True)
class Row:
    """Labels of the picture at the same position in `images.npy`."""

    style: str
    key: str
    label: str  # one label per key
    group: str
    subgroup: str
    tags: tuple[str, ...]


def split_rows(
    rows: Sequence[Row],
    generator: np.random.Generator,
    num_validation: int = NUM_VALIDATION,
    num_held_out: int = NUM_HELD_OUT,
) -> dict[str, list[int]]:
    """Divide row indices into train, validation and held_out.

    Validation rows are drawn at random. Held-out rows are (emoji, style) pairs drawn among the
    rest, so that their emoji stays in train in at least `MIN_OTHER_STYLES` other styles.

    Raises:
        ValueError: if there are too few rows for that many held-out pairs.
    """
    order = generator.permutation(len(rows)).tolist()
    validation, rest = order[:num_validation], order[num_validation:]
    num_left = Counter(rows[index].key for index in rest)
    held_out, train = [], []
    for index in rest:
        key = rows[index].key
        if len(held_out) < num_held_out and num_left[key] > MIN_OTHER_STYLES:
            num_left[key] -= 1
            held_out.append(index)
        else:
            train.append(index)
    if len(held_out) < num_held_out:
        raise ValueError(f"only {len(held_out)} of {num_held_out} rows can be held out")
    splits = {"train": train, "validation": validation, "held_out": held_out}
    splits = {name: sorted(indices) for name, indices in splits.items()}
    check_splits(rows, splits)
    return splits


def check_splits(rows: Sequence[Row], splits: Mapping[str, Sequence[int]]) -> None:
    """Assert that the splits are disjoint and complete and that held-out emoji can be learned."""
    indices = sorted(index for part in splits.values() for index in part)
    assert indices == list(range(len(rows))), "splits overlap or miss rows"
    styles_in_train = defaultdict(set)
    for index in splits["train"]:
        styles_in_train[rows[index].key].add(rows[index].style)
    for index in splits["held_out"]:
        others = styles_in_train[rows[index].key] - {rows[index].style}
        assert len(others) >= MIN_OTHER_STYLES, f"{rows[index].key} is seen in {others} only"


def build_label_names(rows: Sequence[Row], table: Mapping[str, Emoji]) -> dict:
    """The names of all label values: `labels.json`, which is shipped with a trained model."""
    by_key = {row.key: row for row in rows}
    keys = sorted(by_key)
    categories = sorted({row.subgroup for row in rows})
    category_index = {name: index for index, name in enumerate(categories)}
    labels = [by_key[key].label for key in keys]
    assert len(set(labels)) == len(labels), "labels are not unique"
    return {
        "attributes": [
            {"name": "category", "values": categories},
            {"name": "emoji", "values": labels},
            {"name": "style", "values": list(STYLES)},
        ],
        "implies": {
            "emoji": {"category": [category_index[by_key[key].subgroup] for key in keys]},
        },
        "emoji": {
            "characters": [table[key].character for key in keys],
            "tags": [list(by_key[key].tags) for key in keys],
        },
    }


def attribution_text() -> str:
    """Content of ATTRIBUTION.md: who drew the pictures, and under which licence."""
    lines = [
        "# Attribution",
        "",
        "The pictures were drawn to 64 x 64 pixels on white from the packages below; nothing else",
        "was changed. Flags, skin-tone variants and exact duplicates are left out.",
        "",
        "| style | art | authors | source | package | licence |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {pack.style} | {pack.title} | {pack.authors} | {pack.source} "
        f"| {pack.package.name} {pack.package.version} | {LICENCE_LINKS[pack.licence]} |"
        for pack in PACKS
    ]
    lines += [
        "",
        f"Names, tags and groups: {METADATA.name} {METADATA.version}, Miles Johnson, "
        f"https://github.com/milesj/emojibase, {LICENCE_LINKS['MIT']}.",
        "",
    ]
    return "\n".join(lines)
