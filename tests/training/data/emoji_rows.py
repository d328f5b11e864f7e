"""Made-up emoji for the tests of the emoji set."""

from training.data.emoji_names import (
    Emoji,
)
from training.data.emoji_sources import STYLES
from training.data.emoji_tables import Row

NUM_STYLES = 4


def make_emoji(key: str, label: str, base_key: str = "") -> Emoji:
    return Emoji(key, label, chr(int(key.split("-")[0], 16)), "g", "s", ("t",), base_key or key)


def make_rows(num_emoji: int = 60) -> list[Row]:
    return [
        Row(style, f"{number:X}", f"emoji {number}", "group", f"subgroup {number % 7}", ("tag",))
        for style in STYLES[:NUM_STYLES]
        for number in range(1, num_emoji + 1)
    ]


def make_table(rows: list[Row]) -> dict[str, Emoji]:
    return {row.key: make_emoji(row.key, row.label) for row in rows}
