"""Tables and numbers in Markdown."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

NOTHING = "-"
COLUMNS = 120


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, with an empty one after it."""
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(row)} |" for row in lines), ""]


def wrapped(text: str) -> list[str]:
    """The lines of a text; of an item of a list, further ones are indented."""
    return wrap(text, COLUMNS, subsequent_indent="  " if text.startswith("- ") else "")


def number(value: float | None) -> str:
    """A number with three significant digits."""
    return NOTHING if value is None else f"{value:.3g}"


def exact(value: float | None) -> str:
    """A number with four decimals, for correlations and losses."""
    return NOTHING if value is None else f"{value:.4f}"


def interval(estimate: Mapping[str, Any] | None) -> str:
    """An estimate with its 95 % interval."""
    if estimate is None:
        return NOTHING
    low, high = (number(estimate.get(name)) for name in ("low", "high"))
    return f"{number(estimate['value'])} ({low} to {high})"


def percent(estimate: Mapping[str, Any] | None) -> str:
    """A rate with its 95 % interval."""
    if estimate is None:
        return NOTHING
    value, low, high = (100 * estimate[name] for name in ("value", "low", "high"))
    return f"{value:.0f} % ({low:.0f} to {high:.0f})"


def millions(count: int) -> str:
    """A number of parameters."""
    return f"{count / 1e6:.3g} M"


def settings_line(about: Mapping[str, Any]) -> str:
    """What all runs of a machine have in common."""
    learned, measured = about["pool"] - about["validation"], about["validation"]
    precision = "bf16" if about["mixed_precision"] == "bf16" else "float32"
    return (
        f"Scenes: {learned:,} to learn from, in batches of {about['batch_size']}, and {measured:,} "
        f"to measure with.\nNetworks learn in {precision}; their losses are measured in float32."
    )


def hardware_line(points: Sequence[Mapping[str, Any]]) -> str:
    """Where the runs were made."""
    found = {
        f"{one['hardware']['device']}, {one['hardware']['threads']} "
        f"{'thread' if one['hardware']['threads'] == 1 else 'threads'}, "
        f"torch {one['hardware']['torch']}"
        for one in points
        if "hardware" in one
    }
    return f"Hardware: {'; '.join(sorted(found)) or 'none yet'}."
