"""Command lines made from frozen run settings, so that every setting is a flag."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import TypeVar, get_type_hints

import torch

from var_core.devices import pick_dtype

Config = TypeVar("Config")

EXIT_BAD_INPUT = 2

PRECISION_HELP = "bf16, no, or auto: bf16 where the device multiplies it fast"


def resolve_precision(mixed_precision: str, device: torch.device) -> str:
    """What "auto" means on a device: "bf16" or "no", as Accelerate spells them.

    Raises:
        ValueError: if the name is unknown.
    """
    if mixed_precision not in ("auto", "bf16", "no"):
        raise ValueError(f"mixed_precision must be auto, bf16 or no, got {mixed_precision!r}")
    if mixed_precision != "auto":
        return mixed_precision
    return "bf16" if pick_dtype(device) == torch.bfloat16 else "no"


def parse_config(config_type: type[Config], argv: Sequence[str] | None, about: str) -> Config:
    """Build a settings dataclass from command-line flags.

    A field `batch_size: int` becomes `--batch-size`; a tuple of integers takes several values; a
    boolean becomes `--flag` and `--no-flag`. A field's help text is `metadata={"help": ...}`.

    Args:
        config_type: a dataclass of str, int, float, bool and tuple[int, ...] fields.
        argv: the arguments, or None for those of the process.
        about: description shown by `--help`.

    Raises:
        SystemExit: with a message, if the flags do not fit.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    hints = get_type_hints(config_type)
    for field in fields(config_type):
        options: dict = {"help": field.metadata.get("help", " "), "dest": field.name}
        if field.default is MISSING:
            options["required"] = True
        else:
            options["default"] = field.default
        if hints[field.name] is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif hints[field.name] == tuple[int, ...]:
            options |= {"type": int, "nargs": "+"}
        else:
            options["type"] = hints[field.name]
        parser.add_argument("--" + field.name.replace("_", "-"), **options)
    values = vars(parser.parse_args(argv))
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    try:
        return config_type(**values)
    except ValueError as error:
        parser.error(str(error))


def run_command(
    work: Callable[[Config], None],
    config_type: type[Config],
    about: str,
    argv: Sequence[str] | None,
) -> int:
    """A command line that does one thing with its settings.

    Args:
        work: does it; its ValueError is one sentence for people.
        config_type: the settings, as for `parse_config`.
        about: description shown by `--help`.
        argv: the arguments, or None for those of the process.

    Returns:
        0, or 2 for settings or data that do not do.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = parse_config(config_type, argv, about)
    try:
        work(config)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0
