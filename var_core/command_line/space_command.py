"""The command about Hugging Face Spaces: space."""

import argparse
from pathlib import Path

from var_core.serving.hosting import HARDWARE, problems, write_space

Commands = argparse._SubParsersAction  # of the parsers of all commands


def add_space_command(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command of this file to the list of all commands."""
    space = commands.add_parser("space", help="check or write what a Hugging Face Space needs")
    task = space.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="say what is missing")
    task.add_argument("--out", type=Path, metavar="FOLDER", help="write a folder to push")
    space.add_argument(
        "--hardware",
        choices=HARDWARE,
        default=next(iter(HARDWARE)),
        help="hardware of the Space (default: %(default)s)",
    )
    space.set_defaults(run=_space)


def _space(arguments: argparse.Namespace) -> None:
    if arguments.check:
        if found := problems():
            raise ValueError("; ".join(found))
        print("a Space can be built from this folder")
        return
    write_space(arguments.out, arguments.hardware)
    print(arguments.out)
