"""Command lines made from frozen run settings, so that every setting is a flag."""

import argparse
from collections.abc import Sequence
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
