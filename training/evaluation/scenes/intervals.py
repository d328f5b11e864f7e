"""95 % intervals: Wilson's for rates, the jackknife for distances, else the bootstrap."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

NORMAL_95 = 1.959963984540054
RESAMPLES = 2000
NUM_BLOCKS = 10  # of the jackknife
DIGITS = 4  # significant ones in files


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval and the number of cases behind it."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """The estimate, rounded, as it stands in files."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: float(f"{one:.{DIGITS}g}") for name, one in numbers.items()} | {"n": self.n}


def wilson(hits: int, n: int) -> Estimate:
    """A rate with Wilson's score interval (J. Am. Stat. Assoc. 22, 209).

    Raises:
        ValueError: if there are no cases, or more hits than cases.
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"hits must lie in 0..n with n of at least 1, got {hits} of {n}")
    rate, square = hits / n, NORMAL_95**2 / n
    middle = (rate + square / 2) / (1 + square)
    half = math.sqrt(rate * (1 - rate) * square + square**2 / 4) / (1 + square)
    low, high = min(middle - half, rate), max(middle + half, rate)
    return Estimate(rate, max(low, 0.0), min(high, 1.0), n)


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], *samples: np.ndarray
) -> Estimate | None:
    """A statistic of means with its percentile interval; None where it is not finite.

    Args:
        statistic: function of the means (R, sum of columns) of R draws; returns (R,).
        samples: arrays (n, columns), drawn from independently of each other; the cases in a row
            stay together.

    Raises:
        ValueError: if a sample is empty.
    """
    if not samples or any(sample.ndim != 2 or not len(sample) for sample in samples):
        raise ValueError("a bootstrap needs samples (n, columns) with at least one row")
    dice = np.random.default_rng(0)
    draws = [
        np.stack(
            [sample[dice.integers(len(sample), size=len(sample))].mean(0) for _ in range(RESAMPLES)]
        )
        for sample in samples
    ]
    means = np.concatenate([sample.mean(axis=0) for sample in samples])[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(means)[0])
        drawn = statistic(np.concatenate(draws, axis=1))
    drawn = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or not len(drawn):
        return None
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(value, float(low), float(high), min(len(sample) for sample in samples))


def block_jackknife(statistic: Callable[[Tensor], float], features: Tensor) -> Estimate:
    """A statistic of features (n, F) of pictures, with the interval of a block jackknife.

    The bootstrap would repeat pictures, which makes distances between sets larger.

    Raises:
        ValueError: if there are fewer than 20 pictures.
    """
    if len(features) < 2 * NUM_BLOCKS:
        raise ValueError(f"at least {2 * NUM_BLOCKS} pictures are needed, got {len(features)}")
    whole, values = statistic(features), []
    for block in torch.arange(len(features)).chunk(NUM_BLOCKS):
        rest = torch.ones(len(features), dtype=torch.bool)
        rest[block] = False
        values.append(statistic(features[rest]))
    half = NORMAL_95 * float(np.sqrt((len(values) - 1) * np.var(values)))
    return Estimate(whole, max(whole - half, 0.0), whole + half, len(features))


def mean_estimate(values: np.ndarray) -> Estimate | None:
    """Mean of values (n,) with a bootstrap interval."""
    return bootstrap(lambda means: means[:, 0], values.reshape(-1, 1))


def ratio_estimate(values: np.ndarray, references: np.ndarray) -> Estimate | None:
    """Mean of values (n,) over the mean of their references (n,), drawn in pairs."""
    pairs = np.stack([values, references], axis=1)
    return bootstrap(lambda means: means[:, 0] / means[:, 1], pairs)


def to_json(estimate: Estimate | None) -> dict[str, Any] | None:
    """An estimate as it stands in files; None where there is none."""
    return None if estimate is None else estimate.to_json()
