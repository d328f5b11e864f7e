"""Range checks with one wording: the value and the limits are always named."""

import difflib
from collections.abc import Sequence


def check_int(name: str, value: object, low: int, high: int) -> int:
    """Return `value` if it is a plain integer in [low, high].

    Raises:
        ValueError: otherwise; booleans and fractions are not integers here.
    """
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r:.40}")
    return value


def check_float(name: str, value: object, low: float, high: float) -> float:
    """Return `value` as a float if it is a finite number in [low, high].

    Raises:
        ValueError: otherwise; booleans are not numbers here.
    """
    if (type(value) is int or type(value) is float) and low <= value <= high:
        return float(value)
    raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r:.40}")


def check_bool(name: str, value: object) -> bool:
    """Return `value` if it is a bool.

    Raises:
        ValueError: otherwise.
    """
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false, got {value!r:.40}")
    return value


def unknown_name(kind: str, name: str, known: Sequence[str]) -> ValueError:
    """The error for a name that is not among the known ones; it suggests the nearest."""
    shown = name if len(name) <= 40 else name[:40] + "..."
    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.0)
    hint = f"; the nearest is {close[0]!r}" if close else ""
    return ValueError(f"there is no {kind} {shown!r}{hint}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of some words.

    Raises:
        ValueError: otherwise.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r:.40}")
    return value


def check_widths(
    name: str, values: Sequence[object], multiple_of: int, high: int, max_length: int
) -> tuple[int, ...]:
    """Return a short list of widths, each a multiple of `multiple_of` in [multiple_of, high].

    Raises:
        ValueError: if the list is empty or too long, or a width does not fit.
    """
    if not 1 <= len(values) <= max_length:
        raise ValueError(f"{name} must have 1 to {max_length} entries, got {len(values)}")
    checked: list[int] = []
    for value in values:
        if type(value) is not int or not multiple_of <= value <= high or value % multiple_of:
            raise ValueError(
                f"{name} must hold multiples of {multiple_of} up to {high}, got {value!r}"
            )
        checked.append(value)
    return tuple(checked)
