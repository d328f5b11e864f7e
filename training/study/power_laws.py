"""Power laws y = E + (k x)^-a, fitted as straight lines of logarithms, and their intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.scenes.intervals import Estimate

RESAMPLES = 1000
GRID = 200  # irreducible parts that are tried at a time
ROUNDS = 4  # of ever finer grids
FEWEST_FREE = 3  # different x for a law with a free irreducible part
FEWEST_FIXED = 2  # different x for a law with a given one

Points = tuple[np.ndarray, np.ndarray]  # x and y, (n,) each


@dataclass(frozen=True)
class PowerLaw:
    """y = irreducible + (factor * x)^-exponent.

    Attributes:
        exponent: a, positive where y falls with x.
        factor: k.
        irreducible: E, what no x takes away.
        pearson_r: correlation of log x and log (y - E) over the points of the fit.
    """

    exponent: float
    factor: float
    irreducible: float
    pearson_r: float

    def at(self, x: np.ndarray | float) -> np.ndarray:
        """The law at some x."""
        powers = np.log(self.factor) + np.log(np.asarray(x, float))  # their product may overflow
        return self.irreducible + np.exp(-self.exponent * powers)


@dataclass(frozen=True)
class FittedLaw:
    """A law with 95 % intervals, from what other seeds would have changed.

    Attributes:
        law: the law of the means of all sizes.
        exponent: its exponent.
        irreducible: its irreducible part.
        draws: laws of the draws, for intervals of predictions.
    """

    law: PowerLaw
    exponent: Estimate
    irreducible: Estimate
    draws: tuple[PowerLaw, ...]

    def predict(self, x: float) -> Estimate:
        """What the law says at x."""
        return _estimate(float(self.law.at(x)), [float(law.at(x)) for law in self.draws], self.n)

    @property
    def n(self) -> int:
        """Number of runs."""
        return self.exponent.n


def fit_power_law(points: Points, irreducible: float | None = None) -> PowerLaw:
    """The law that fits some points best: smallest squares of differences of log y.

    Args:
        points: x and y, all positive, in any order.
        irreducible: E; None looks for it between 0 and the smallest y.

    Raises:
        ValueError: if there are too few different x, or y is not above the irreducible part.
    """
    x, y = points
    fewest = FEWEST_FREE if irreducible is None else FEWEST_FIXED
    if len(np.unique(x)) < fewest:
        raise ValueError(f"a power law needs {fewest} different x, got {len(np.unique(x))}")
    if (irreducible or 0.0) >= y.min() or x.min() <= 0:
        raise ValueError("x must be positive, and y larger than the irreducible part")
    if irreducible is None:
        irreducible = _best_irreducible(x, y)
    slopes, starts = _lines(x, y, np.array([irreducible]))
    slope, start = float(slopes[0]), float(starts[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        r = float(np.corrcoef(np.log(x), np.log(y - irreducible))[0, 1])
    factor = math.exp(min(700.0, start / slope)) if slope else 1.0
    return PowerLaw(-slope, factor, irreducible, r)


def _lines(x: np.ndarray, y: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and start of the line of log (y - E) over log x for each E."""
    log_x = np.log(x)
    log_y = np.log(y[None] - parts[:, None])  # (E, n)
    centred = log_x - log_x.mean()
    slopes = (log_y * centred).sum(axis=1) / (centred**2).sum()
    return slopes, log_y.mean(axis=1) - slopes * log_x.mean()


def _best_irreducible(x: np.ndarray, y: np.ndarray) -> float:
    low, high = 0.0, y.min() * (1 - 1e-6)
    best = 0.0
    for _ in range(ROUNDS):
        parts = np.linspace(low, high, GRID)
        slopes, starts = _lines(x, y, parts)
        fitted = parts[:, None] + np.exp(starts[:, None] + slopes[:, None] * np.log(x))
        errors = ((np.log(fitted) - np.log(y)) ** 2).sum(axis=1)
        index = int(errors.argmin())
        best = float(parts[index])
        low, high = float(parts[max(index - 1, 0)]), float(parts[min(index + 1, GRID - 1)])
    return best


def fit_sizes(
    sizes: Sequence[Sequence[Points]],
    merge: Callable[[Sequence[Points]], Points],
    irreducible: float | None = None,
    seed: int = 0,
) -> FittedLaw:
    """A law of the means over the seeds of each size, with intervals from what seeds change.

    Every size stays in every draw, as a fit without one says little of the fit with it. In a draw,
    the mean of a size is off as means of its number of seeds are: by normal noise of log y with the
    covariance that the seeds of all sizes with several have together, divided by that number. How
    large it is, is uncertain itself, so that it is drawn as for Student's t. No size with several
    seeds, no interval.

    Args:
        sizes: points of the runs of each size; those of a run hang together, and a run has as many
            as every other.
        merge: function that picks from the means of all sizes the points to fit.
        irreducible: E; None fits it, in every draw anew.
        seed: seed of the draws.

    Raises:
        ValueError: as `fit_power_law`.
    """
    means = [seed_mean(runs) for runs in sizes]
    law = fit_power_law(merge(means), irreducible)
    rest, freedom = seed_residuals(sizes)  # (runs, points)
    dice = np.random.default_rng(seed)
    draws: list[PowerLaw] = []
    for _ in range(RESAMPLES if freedom else 0):
        spread = 1 / math.sqrt(dice.chisquare(freedom))
        drawn = []
        for (x, y), runs in zip(means, sizes, strict=True):
            noise = spread * dice.normal(size=len(rest)) @ rest / math.sqrt(len(runs))
            drawn.append((x, y * np.exp(noise)))
        try:
            draws.append(fit_power_law(merge(drawn), irreducible))
        except ValueError:  # where noise leaves too few points of an envelope
            continue
    number = sum(len(runs) for runs in sizes)
    exponent = _estimate(law.exponent, [one.exponent for one in draws], number)
    part = _estimate(law.irreducible, [one.irreducible for one in draws], number)
    return FittedLaw(law, exponent, part, tuple(draws))


def seed_mean(runs: Sequence[Points]) -> Points:
    """The points of a size: means of y over its seeds, which all have the same x."""
    return runs[0][0], np.mean([y for _, y in runs], axis=0)


def seed_residuals(sizes: Sequence[Sequence[Points]]) -> tuple[np.ndarray, int]:
    """What log y of each run is off the mean of its size, (runs, points), and degrees of freedom.

    Sizes with one seed have none.
    """
    found = []
    freedom = 0
    for runs in sizes:
        logs = np.log([y for _, y in runs])
        if len(logs) > 1:
            found.append(logs - logs.mean(axis=0))
            freedom += len(logs) - 1
    return np.concatenate(found) if found else np.zeros((0, 0)), freedom


def _estimate(value: float, draws: Sequence[float], n: int) -> Estimate:
    if not draws:
        return Estimate(value, math.nan, math.nan, n)
    low, high = np.quantile(np.array(draws), (0.025, 0.975))
    return Estimate(value, float(low), float(high), n)


def all_points(runs: Sequence[Points]) -> Points:
    """The points of all sizes."""
    return np.concatenate([x for x, _ in runs]), np.concatenate([y for _, y in runs])


def envelope(runs: Sequence[Points]) -> Points:
    """The points of all sizes that are better than every point of smaller or equal x."""
    x, y = all_points(runs)
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    before = np.concatenate(([np.inf], np.minimum.accumulate(y)[:-1]))
    is_better = y < before
    return x[is_better], y[is_better]
