"""The one command-line parser of all trainers and small commands, made from settings dataclasses.

A field `batch_size: int` becomes `--batch-size`; a tuple of integers takes several values; a
boolean becomes `--flag` and `--no-flag`; a field that is itself a dataclass of settings becomes a
group of flags. Help, group, range and choices stand in the metadata of the field.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from var_core.exit_codes import EXIT_BAD_INPUT, EXIT_NO_OUTPUT

Value = TypeVar("Value")
AnySettings = TypeVar("AnySettings", bound="Settings")


def about(
    help: str,
    group: str = "settings",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
) -> dict[str, object]:
    """Metadata of a settings field.

    Args:
        help: text shown by `--help`.
        group: heading under which `--help` shows the flag.
        low: smallest number allowed.
        high: largest number allowed.
        choices: the texts allowed; empty allows all.
    """
    return {"help": help, "group": group, "low": low, "high": high, "choices": tuple(choices)}


def setting(
    default: Value,
    help: str,
    group: str = "settings",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
) -> Value:
    """A settings field with a default; for the other arguments see `about`."""
    metadata = about(help, group, low=low, high=high, choices=choices)
    return cast(Value, field(default=default, metadata=metadata))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: values out of range are refused when an object is made."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            check_value(entry, getattr(self, entry.name))


def check_value(entry: "Field[Any]", value: object) -> None:
    """Check a value against range and choices of its field.

    Raises:
        ValueError: naming the field, what it may be, and the value.
    """
    choices = entry.metadata.get("choices", ())
    if choices and value not in choices:
        raise ValueError(f"{entry.name} must be {or_list(choices)}, got {value!r}")
    low, high = entry.metadata.get("low"), entry.metadata.get("high")
    if low is None and high is None:
        return
    for number in value if isinstance(value, tuple) else (value,):
        if not isinstance(number, int | float):
            raise ValueError(f"{entry.name} must be a number, got {number!r}")
        is_inside = (low is None or number >= low) and (high is None or number <= high)
        if not is_inside:  # also of NaN
            raise ValueError(f"{entry.name} must be {limits(low, high)}, got {number}")


def limits(low: float | None, high: float | None) -> str:
    """A range in words: "at least 1", "at most 5", "from 0 to 1"."""
    if high is None:
        return f"at least {low:g}"
    return f"at most {high:g}" if low is None else f"from {low:g} to {high:g}"


def or_list(choices: Sequence[str]) -> str:
    """Choices in words: "auto, bf16 or no"."""
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def parse_settings(
    settings_type: type[AnySettings], argv: Sequence[str] | None, about: str
) -> AnySettings:
    """Build settings from command-line flags.

    Args:
        settings_type: dataclass of str, int, float, bool, tuple[int, ...] and nested settings.
        argv: command-line arguments; None takes those of the process.
        about: description shown by `--help`.

    Raises:
        ValueError: if a value is out of range.
        SystemExit: with exit code 2, if there is no such flag, or one is missing or malformed.
    """
    required = [entry.name for entry in fields(settings_type) if has_no_default(entry)]
    usage = "".join(f" --{name.replace('_', '-')} TEXT" for name in required)
    parser = argparse.ArgumentParser(description=about, usage=f"{command_name()}{usage} [options]")
    groups: dict[str, argparse._ArgumentGroup] = {}
    add_flags(parser, groups, settings_type)
    return build(settings_type, vars(parser.parse_args(argv)))


def command_name() -> str:
    """The command that runs, as one types it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name}" if spec is not None else Path(sys.argv[0]).name


def has_no_default(entry: "Field[Any]") -> bool:
    """Whether a field must be given."""
    return entry.default is MISSING and entry.default_factory is MISSING


def add_flags(
    parser: argparse.ArgumentParser,
    groups: dict[str, argparse._ArgumentGroup],
    settings_type: type[Settings],
) -> None:
    """Add a flag for each field to a parser, under the heading of its group."""
    hints = get_type_hints(settings_type)
    for entry in fields(settings_type):
        kind = hints[entry.name]
        if isinstance(kind, type) and issubclass(kind, Settings):
            add_flags(parser, groups, kind)
            continue
        title = entry.metadata.get("group", "settings")
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        flag = "--" + entry.name.replace("_", "-")
        groups[title].add_argument(flag, dest=entry.name, **flag_options(entry, kind))


def flag_options(entry: "Field[Any]", kind: object) -> dict[str, Any]:
    """Keyword arguments of `add_argument` for a field."""
    notes = []
    low, high = entry.metadata.get("low"), entry.metadata.get("high")
    if low is not None or high is not None:
        notes.append(limits(low, high))
    options: dict[str, Any] = {}
    if has_no_default(entry):
        options["required"] = True
        notes.append("required")
    else:
        options["default"] = entry.default
        notes.append(f"default: {shown(entry.default)}")
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif kind == tuple[int, ...]:
        options |= {"type": int, "nargs": "+", "metavar": "N"}
    else:
        choices = entry.metadata.get("choices") or None
        metavar = None if choices else {int: "N", float: "X"}.get(cast(type, kind), "TEXT")
        options |= {"type": kind, "choices": choices, "metavar": metavar}
    text = entry.metadata.get("help", entry.name.replace("_", " "))
    options["help"] = f"{text} ({'; '.join(notes)})".replace("%", "%%")
    return options


def shown(default: object) -> str:
    """A default as it would be typed."""
    if isinstance(default, tuple):
        return " ".join(map(str, default))
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) if default != "" else "none"


def build(settings_type: type[AnySettings], values: Mapping[str, Any]) -> AnySettings:
    """Settings, nested ones too, from the values of all flags.

    Raises:
        ValueError: if a value is out of range.
    """
    hints = get_type_hints(settings_type)
    found: dict[str, Any] = {}
    for entry in fields(settings_type):
        kind = hints[entry.name]
        if isinstance(kind, type) and issubclass(kind, Settings):
            found[entry.name] = build(kind, values)
        else:
            value = values[entry.name]
            found[entry.name] = tuple(value) if isinstance(value, list) else value
    return settings_type(**found)


def run_command(
    work: Callable[[AnySettings], None],
    settings_type: type[AnySettings],
    about: str,
    argv: Sequence[str] | None,
) -> int:
    """Run the command line of a command that does one thing with its settings.

    Args:
        work: function that does it; the message of its ValueError or OSError is shown.
        settings_type: dataclass of the settings.
        about: description shown by `--help`.
        argv: command-line arguments; None takes those of the process.

    Returns:
        0; 2 for settings or data that cannot be used; 3 for output that cannot be written.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        work(parse_settings(settings_type, argv, about))
    except ValueError as error:
        return fail(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        place = f"{error.filename} " if error.filename else ""
        return fail(f"{place}cannot be written: {error.strerror or error}", EXIT_NO_OUTPUT)
    return 0


def fail(message: str, code: int) -> int:
    """Print a message to the error output; returns the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return code
