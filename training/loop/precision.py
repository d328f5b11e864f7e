"""The precision that a run computes in."""

import torch

from training.loop.run_settings import PRECISIONS
from var_core.devices import pick_dtype


def resolve_precision(mixed_precision: str, device: torch.device) -> str:
    """What "auto" means on a device: "bf16" or "no", as Accelerate spells them.

    Raises:
        ValueError: if the name is unknown.
    """
    if mixed_precision not in PRECISIONS:
        raise ValueError(f"mixed_precision must be auto, bf16 or no, got {mixed_precision!r}")
    if mixed_precision != "auto":
        return mixed_precision
    return "bf16" if pick_dtype(device) == torch.bfloat16 else "no"
