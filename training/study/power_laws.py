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
        return self.irreducible + (self.factor * np.asarray(x, float)) ** -self.exponent


@dataclass(frozen=True)
class FittedLaw:
    """A law with 95 % intervals over draws of the runs.

    Attributes:
        law: the law of all runs.
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


def fit_runs(
    runs: Sequence[Points],
    merge: Callable[[Sequence[Points]], Points],
    irreducible: float | None = None,
    seed: int = 0,
) -> FittedLaw:
    """A law of several runs with intervals: whole runs are drawn, as points of one hang together.

    Args:
        runs: points of each run.
        merge: function that picks from all runs the points to fit.
        irreducible: E; None fits it, in every draw anew.
        seed: seed of the draws.

    Raises:
        ValueError: as `fit_power_law`.
    """
    law = fit_power_law(merge(runs), irreducible)
    dice = np.random.default_rng(seed)
    draws: list[PowerLaw] = []
    for _ in range(RESAMPLES):
        drawn = [runs[index] for index in dice.integers(len(runs), size=len(runs))]
        try:
            draws.append(fit_power_law(merge(drawn), irreducible))
        except ValueError:  # too few different sizes: such a draw says nothing
            continue
    exponent = _estimate(law.exponent, [one.exponent for one in draws], len(runs))
    part = _estimate(law.irreducible, [one.irreducible for one in draws], len(runs))
    return FittedLaw(law, exponent, part, tuple(draws))


def _estimate(value: float, draws: Sequence[float], n: int) -> Estimate:
    if not draws:
        return Estimate(value, math.nan, math.nan, n)
    low, high = np.quantile(np.array(draws), (0.025, 0.975))
    return Estimate(value, float(low), float(high), n)


def all_points(runs: Sequence[Points]) -> Points:
    """The points of all runs."""
    return np.concatenate([x for x, _ in runs]), np.concatenate([y for _, y in runs])


def envelope(runs: Sequence[Points]) -> Points:
    """The points of all runs that are better than every point of smaller or equal x."""
    x, y = all_points(runs)
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    before = np.concatenate(([np.inf], np.minimum.accumulate(y)[:-1]))
    is_better = y < before
    return x[is_better], y[is_better]
