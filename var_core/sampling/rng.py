"""One generator per picture, from integer seeds."""

import secrets
from collections.abc import Sequence

import torch

from var_core.ranges import check_int

MAX_SEED = 2**32 - 1


def generators_from_seeds(
    seeds: Sequence[int], device: torch.device | str = "cpu"
) -> list[torch.Generator]:
    """One generator per picture, so that a seed means the same in any batch.

    Args:
        seeds: whole numbers from 0 to `MAX_SEED`.
        device: where the logits will be.

    Raises:
        ValueError: if a seed is not such a number.
    """
    checked = [check_int("seed", seed, 0, MAX_SEED) for seed in seeds]
    return [torch.Generator(device).manual_seed(seed) for seed in checked]


def random_seed() -> int:
    """A fresh seed from the operating system, in [0, MAX_SEED]."""
    return secrets.randbelow(MAX_SEED + 1)
