"""Range checks with one wording: the value and the limits are always named."""

import difflib
from collections.abc import Sequence
from typing import TypeVar

Kind = TypeVar("Kind")


def plain(value: object) -> object:
    """A Python number in place of a scalar of numpy or torch; anything else as it is."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


def check_int(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int if it is a whole number in [low, high], of Python, numpy or torch.

    Raises:
        ValueError: otherwise; booleans and fractions are not integers here.
    """
    value = plain(value)
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r:.40}")
    return value


def check_float(name: str, value: object, low: float, high: float) -> float:
    """Return `value` as a float if it is a finite number in [low, high].

    Raises:
        ValueError: otherwise; booleans are not numbers here.
    """
    value = plain(value)
    if (type(value) is int or type(value) is float) and low <= value <= high:
        return float(value)
    raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r:.40}")


def check_bool(name: str, value: object) -> bool:
    """Return `value` as a bool if it is one, of Python, numpy or torch.

    Raises:
        ValueError: otherwise.
    """
    value = plain(value)
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false, got {value!r:.40}")
    return value


def unknown_name(kind: str, name: str, known: Sequence[str]) -> ValueError:
    """The error for a name that is not among the known ones; it suggests the nearest."""
    shown = name if len(name) <= 40 else name[:40] + "..."
    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.0)
    hint = f"; the nearest is {close[0]!r}" if close else ""
    return ValueError(f"there is no {kind} {shown!r}{hint}")


def check_kind(name: str, value: object, kind: type[Kind]) -> Kind:
    """Return `value` if it is an object of a class.

    Raises:
        ValueError: otherwise.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be of type {kind.__name__}, got {value!r:.40}")
    return value


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
    for given in values:
        value = plain(given)
        if type(value) is not int or not multiple_of <= value <= high or value % multiple_of:
            raise ValueError(
                f"{name} must hold multiples of {multiple_of} up to {high}, got {value!r}"
            )
        checked.append(value)
    return tuple(checked)
