"""One generator per picture, from integer seeds."""

import secrets
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from var_core.ranges import check_int

MAX_SEED = 2**32 - 1
Generators = Sequence[torch.Generator] | torch.Generator


def generators_from_seeds(
    seeds: Sequence[int], device: torch.device | str = "cpu"
) -> list[torch.Generator]:
    """One generator per picture, so that a seed means the same in any batch.

    Args:
        seeds: whole numbers from 0 to `MAX_SEED`.
        device: device of the logits.

    Raises:
        ValueError: if there is no list of them, or one is not such a number.
    """
    if not isinstance(seeds, Iterable):
        raise ValueError(f"seeds must be a list, one for each picture, got {seeds!r:.40}")
    checked = [check_int("seed", seed, 0, MAX_SEED) for seed in seeds]
    return [torch.Generator(device).manual_seed(seed) for seed in checked]


def one_for_each(
    given: Generators | None, count: int, device: torch.device
) -> list[torch.Generator]:
    """A generator for each picture, on the device of the networks.

    Args:
        given: generators; or one, which seeds those of several pictures; None takes random seeds.
        count: number of pictures.
        device: device of the networks; generators of another device seed new ones there.

    Raises:
        ValueError: if there is another number of them.
    """
    if given is None:
        made = [torch.Generator(device) for _ in range(count)]
        for one in made:
            one.seed()
        return made
    if isinstance(given, torch.Generator):
        given = [given] if count == 1 else [_seeded_by(given, device) for _ in range(count)]
    is_list = isinstance(given, list | tuple) and len(given) == count
    if not is_list or not all(isinstance(one, torch.Generator) for one in given):
        raise ValueError(
            f"generator must be a torch.Generator or a list of {count}, one for each picture, "
            f"got {given!r:.40}"
        )
    return [one if one.device.type == device.type else _seeded_by(one, device) for one in given]


def _seeded_by(generator: torch.Generator, device: torch.device) -> torch.Generator:
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return torch.Generator(device).manual_seed(int(seed))


def exponential_noise(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Independent exponential numbers of mean 1, float32, on the generator's device.

    On the CPU they are those of `Tensor.exponential_`, which is slow there: it takes one logarithm
    at a time.
    """
    if generator.device.type != "cpu":
        noise = torch.empty(shape, dtype=torch.float32, device=generator.device)
        return noise.exponential_(generator=generator)
    uniform = torch.empty(shape, dtype=torch.float64).uniform_(generator=generator)
    return uniform.neg_().log1p_().neg_().float()


def random_seed() -> int:
    """A fresh seed from the operating system, in [0, MAX_SEED]."""
    return secrets.randbelow(MAX_SEED + 1)
