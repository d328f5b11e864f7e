"""The entry of the command line: the list of commands, and what their errors look like."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from var_core.command_line.clip_command import add_clip_command
from var_core.command_line.model_commands import add_model_commands
from var_core.command_line.picture_commands import add_picture_commands
from var_core.command_line.space_command import add_space_command
from var_core.devices import PRECISIONS
from var_core.exit_codes import EXIT_BAD_INPUT, EXIT_NO_MEMORY, EXIT_NO_OUTPUT
from var_core.labels import LabelSpace
from var_core.model_info import read_defaults, read_labels
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.machine_troubles import NO_MEMORY_HERE, is_memory
from var_core.terminal import run_quietly


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: words of the command line; None takes those of the process.

    Returns:
        The exit code: 0, 2 for bad input, 3 for output that cannot be written, 5 for too little
        memory, 130 for Ctrl-C, 141 if nobody reads it.
    """
    return run_quietly(lambda: _run(list(sys.argv[1:] if argv is None else argv)))


def _run(arguments: Sequence[str]) -> int:
    try:
        parsed = _parser(_model_folder(arguments)).parse_args(arguments)
        parsed.run(parsed)
    except (ValueError, FloatingPointError) as error:  # the latter for weights without sense
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        raise  # ends the command quietly
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        print(f"error: cannot write {path}{error.strerror or error}", file=sys.stderr)
        return EXIT_NO_OUTPUT
    except Exception as error:
        if not is_memory(error):
            raise
        print(f"error: {NO_MEMORY_HERE}", file=sys.stderr)
        return EXIT_NO_MEMORY
    return 0


def _parser(model: Path) -> argparse.ArgumentParser:
    """The parser of all commands.

    Args:
        model: model folder; each attribute and menu of its labels becomes a flag, and its default
            options are those that the help names.
    """
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--model",
        type=Path,
        default=EMBEDDED_FOLDER,
        metavar="FOLDER",
        help=f"model folder (default: {EMBEDDED_FOLDER.name}, which comes with VAR Studio)",
    )
    shared.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="numbers that the networks compute with (default: %(default)s)",
    )
    parser = argparse.ArgumentParser(
        prog="python -m var_core", description="Draw and edit pictures, draw clips, manage models."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    of_model = _labels(model), read_defaults(model)
    add_picture_commands(commands, shared, *of_model)
    add_clip_command(commands, shared, *of_model)
    add_model_commands(commands, shared)
    add_space_command(commands)
    return parser


def _model_folder(arguments: Sequence[str]) -> Path:
    """The model folder, which is needed before parsing: its labels and defaults are in the help."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--model", type=Path, default=EMBEDDED_FOLDER)
    return early.parse_known_args(arguments)[0].model


def _labels(model: Path) -> LabelSpace:
    """The labels whose names become flags; a model without names has classes."""
    return read_labels(model) or LabelSpace.single("class", 1)
