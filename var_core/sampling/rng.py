"""One generator per picture, from integer seeds."""

import secrets
from collections.abc import Sequence

import torch
from torch import Tensor

from var_core.ranges import check_int

MAX_SEED = 2**32 - 1


def generators_from_seeds(
    seeds: Sequence[int], device: torch.device | str = "cpu"
) -> list[torch.Generator]:
    """One generator per picture, so that a seed means the same in any batch.

    Args:
        seeds: whole numbers from 0 to `MAX_SEED`.
        device: device of the logits.

    Raises:
        ValueError: if a seed is not such a number.
    """
    checked = [check_int("seed", seed, 0, MAX_SEED) for seed in seeds]
    return [torch.Generator(device).manual_seed(seed) for seed in checked]


def exponential_noise(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Independent exponential numbers of mean 1, float32, on the generator's device.

    On the CPU they are those of `Tensor.exponential_`, which is slow there: it takes one logarithm
    at a time.
    """
    if generator.device.type != "cpu":
        return torch.empty(shape, device=generator.device).exponential_(generator=generator)
    uniform = torch.empty(shape, dtype=torch.float64).uniform_(generator=generator)
    return uniform.neg_().log1p_().neg_().float()


def random_seed() -> int:
    """A fresh seed from the operating system, in [0, MAX_SEED]."""
    return secrets.randbelow(MAX_SEED + 1)
