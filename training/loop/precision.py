"""The precision that a run computes in."""

import os

import torch

from training.loop.run_settings import PRECISIONS, check_precision
from var_core.devices import pick_dtype
from var_core.option_fields import or_list

LAUNCHED = "ACCELERATE_MIXED_PRECISION"  # set by `accelerate launch`, "no" if nothing was asked


def resolve_precision(mixed_precision: str, device: torch.device) -> str:
    """What "auto" means on a device: "bf16" or "no", as Accelerate spells them.

    A precision that was given to `accelerate launch` counts as if it was given to the trainer.

    Raises:
        ValueError: if the name is unknown, or float16 or float8 are asked for.
    """
    launched = os.environ.get(LAUNCHED, "no")
    if mixed_precision == "auto" and launched != "no":
        mixed_precision = launched
    check_precision(mixed_precision)
    if mixed_precision not in PRECISIONS:
        raise ValueError(f"mixed_precision must be {or_list(PRECISIONS)}, got {mixed_precision!r}")
    if mixed_precision != "auto":
        return mixed_precision
    return "bf16" if pick_dtype(device) == torch.bfloat16 else "no"


def autocast_of(precision: str, device: torch.device) -> torch.autocast:
    """Autocast of a run: to bf16 if that is its precision, else to nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def fast_autocast() -> torch.autocast:
    """Autocast to bf16 where the processor multiplies it fast; elsewhere float32 is faster."""
    dtype = pick_dtype(torch.device("cpu"))
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)
