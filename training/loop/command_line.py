"""The one command-line parser of all trainers and small commands, made from settings dataclasses.

A field `batch_size: int` becomes `--batch-size`; a tuple of integers takes several values; a
boolean becomes `--flag` and `--no-flag`; a field that is itself a dataclass of settings becomes a
group of flags. Every other field is an option, as `var_core.option_fields` describes it.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar, get_type_hints

from training.loop.output_place import check_file, check_folder
from var_core.exit_codes import EXIT_BAD_INPUT, EXIT_NO_OUTPUT
from var_core.option_fields import OptionField, option_fields
from var_core.ranges import unknown_name
from var_core.terminal import run_quietly

AnySettings = TypeVar("AnySettings", bound="Settings")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: values out of range are refused when an object is made."""

    out_is_file: ClassVar[bool] = False  # of commands whose `out` is no folder

    def __post_init__(self) -> None:
        for option in option_fields(self):
            option.check_range(getattr(self, option.name))


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
    required = [option.flag for option in option_fields(settings_type) if option.is_required]
    usage = "".join(f" {flag} TEXT" for flag in required)
    parser = argparse.ArgumentParser(description=about, usage=f"{command_name()}{usage} [options]")
    groups: dict[str, argparse._ArgumentGroup] = {}
    add_flags(parser, groups, settings_type)
    return build(settings_type, vars(parser.parse_args(argv)))


def check_flags(settings_type: type[Settings], words: Sequence[str]) -> None:
    """Check the flags of a command without running it.

    Raises:
        ValueError: if there is no such flag, or a value is malformed or out of range.
    """
    parser = _Raising(allow_abbrev=False, add_help=False)
    add_flags(parser, {}, settings_type)
    known = [flag for flag in parser._option_string_actions if flag.startswith("--")]
    for word in words:
        if word.startswith("--") and word not in known:
            name, names = word[2:].replace("-", "_"), [flag[2:].replace("-", "_") for flag in known]
            raise unknown_name("setting", name, names)
    build(settings_type, vars(parser.parse_args(words)))


class _Raising(argparse.ArgumentParser):
    """A parser whose errors are ValueErrors."""

    def error(self, message: str) -> NoReturn:
        """As `ArgumentParser.error`, but without ending the process."""
        raise ValueError(message)


def command_name() -> str:
    """The command that runs, as one types it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name}" if spec is not None else Path(sys.argv[0]).name


def add_flags(
    parser: argparse.ArgumentParser,
    groups: dict[str, argparse._ArgumentGroup],
    settings_type: type[Settings],
) -> None:
    """Add a flag for each field to a parser, under the heading of its group."""
    hints = get_type_hints(settings_type)
    options = {option.name: option for option in option_fields(settings_type)}
    for entry in fields(settings_type):
        kind = hints[entry.name]
        if isinstance(kind, type) and issubclass(kind, Settings):
            add_flags(parser, groups, kind)
            continue
        option = options[entry.name]
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        groups[option.group].add_argument(option.flag, dest=option.name, **flag_options(option))


def flag_options(option: OptionField) -> dict[str, Any]:
    """Keyword arguments of `add_argument` for an option."""
    found: dict[str, Any] = {}
    if option.is_required:
        found["required"] = True
    else:
        found["default"] = option.default
    if option.is_switch:
        found["action"] = argparse.BooleanOptionalAction
    elif option.kind is tuple:
        found |= {"type": int, "nargs": "+", "metavar": "N"}
    else:
        # choices are checked with the settings, whose message says more
        choices = f"{{{','.join(option.choices)}}}" if option.choices else ""
        metavar = choices or {int: "N", float: "X"}.get(option.kind, "TEXT")
        found |= {"type": option.kind, "metavar": metavar}
    default = "required" if option.is_required else f"default: {shown(option.default)}"
    notes = "; ".join(filter(None, (option.limits, default)))
    found["help"] = f"{option.help} ({notes})".replace("%", "%%")
    return found


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
        0; 2 for settings or data that cannot be used; 3 for output that cannot be written; 130 for
        Ctrl-C; 141 if nobody reads what it prints.
    """
    return run_quietly(lambda: _worked(work, settings_type, about, argv))


def _worked(
    work: Callable[[AnySettings], None],
    settings_type: type[AnySettings],
    about: str,
    argv: Sequence[str] | None,
) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = parse_settings(settings_type, argv, about)
        check_out(settings)
        work(settings)
    except ValueError as error:
        return fail(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:
        raise  # ends the command quietly
    except OSError as error:
        return fail_to_write(error)
    return 0


def check_out(settings: Settings) -> None:
    """Check that the result can be written, before the work.

    Raises:
        OSError: if it cannot.
    """
    if out := getattr(settings, "out", None):
        (check_file if settings.out_is_file else check_folder)(Path(out))


def fail_to_write(error: OSError) -> int:
    """Print what the system refused to write; returns the exit code."""
    place = f"{error.filename} " if error.filename else ""
    return fail(f"{place}cannot be written: {error.strerror or error}", EXIT_NO_OUTPUT)


def fail(message: str, code: int) -> int:
    """Print a message to the error output; returns the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return code
