"""Fits recover the laws that points were made from."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from training.study import power_laws
from training.study.power_laws import Points, all_points, envelope, fit_power_law, fit_sizes

SIZES = np.array([1e5, 3e5, 1e6, 3e6, 1e7])


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power_laws, "RESAMPLES", 100)


def law(x: np.ndarray, exponent: float, irreducible: float) -> np.ndarray:
    return irreducible + (2e-6 * x) ** -exponent


@pytest.mark.parametrize(("exponent", "irreducible"), [(0.2, 4.5), (0.23, 0.0), (0.076, 1.7)])
def test_a_fit_finds_exponent_and_irreducible_part(exponent: float, irreducible: float) -> None:
    found = fit_power_law((SIZES, law(SIZES, exponent, irreducible)))
    assert found.exponent == pytest.approx(exponent, rel=0.01)
    assert found.irreducible == pytest.approx(irreducible, abs=0.02)
    assert found.factor == pytest.approx(2e-6, rel=0.1)
    assert found.pearson_r < -0.9999


def test_a_given_irreducible_part_is_kept() -> None:
    found = fit_power_law((SIZES, law(SIZES, 0.2, 3.0)), irreducible=3.0)
    assert found.irreducible == 3.0 and found.exponent == pytest.approx(0.2)
    wrong = fit_power_law((SIZES, law(SIZES, 0.2, 3.0)), irreducible=0.0)
    assert wrong.exponent < 0.1 and wrong.pearson_r > found.pearson_r


def seeds_of(counts: list[int], noise: float, exponent: float, part: float) -> list[list[Points]]:
    """Curves of three points that runs of each size leave; noise shifts a run as a whole."""
    dice = np.random.default_rng(3)
    found = []
    for size, count in zip(SIZES, counts, strict=True):
        x = size * np.array([0.25, 0.5, 1.0])
        shifts = np.exp(noise * dice.normal(size=count))
        found.append([(x, law(x, exponent, part) * shift) for shift in shifts])
    return found


def test_a_size_that_was_kept_out_is_predicted() -> None:
    sizes = seeds_of([1, 1, 1, 1, 1], 0.0, 0.2, 3.0)
    found = fit_sizes(sizes[:4], all_points)
    assert found.predict(SIZES[4]).value == pytest.approx(law(SIZES[4], 0.2, 3.0), rel=1e-3)
    assert math.isnan(found.exponent.low)  # no size has several seeds


@pytest.mark.parametrize("merge", [all_points, envelope])
def test_the_interval_holds_the_true_exponent_of_noisy_runs(
    merge: Callable[[Sequence[Points]], Points],
) -> None:
    found = fit_sizes(seeds_of([3, 3, 1, 1, 1], 0.01, 0.2, 0.0), merge, irreducible=0.0).exponent
    assert found.low < 0.2 < found.high and found.n == 9
    assert 0.003 < found.high - found.low < 0.03


def test_no_size_is_left_out_of_a_draw() -> None:
    same = [(SIZES[[0]], np.array([value])) for value in (2.0, 2.0, 2.0)]
    alone = [[(SIZES[[index]], np.array([2.0 - 0.1 * index]))] for index in range(1, 5)]
    found = fit_sizes([same, *alone], all_points, irreducible=0.0)
    # seeds that change nothing: all that draws of runs could change is which sizes there are
    assert found.exponent.low == found.exponent.high == pytest.approx(found.law.exponent)


def test_seeds_of_a_size_count_as_one_point() -> None:
    sizes = seeds_of([1, 1, 1, 1, 1], 0.0, 0.2, 3.0)
    x, y = sizes[0][0]
    sizes[0] = [(x, 0.9 * y), (x, y), (x, 1.1 * y)]
    found = fit_sizes(sizes, envelope)
    assert found.law.exponent == pytest.approx(0.2, rel=0.01)
    assert found.law.irreducible == pytest.approx(3.0, abs=0.02)


def test_the_envelope_keeps_what_nothing_cheaper_beats() -> None:
    cheap = np.array([1.0, 2.0, 3.0]), np.array([9.0, 8.0, 7.9])
    dear = np.array([2.0, 3.0, 4.0]), np.array([8.5, 7.0, 7.0])
    x, y = envelope([cheap, dear])
    assert x.tolist() == [1.0, 2.0, 3.0] and y.tolist() == [9.0, 8.0, 7.0]


def test_too_few_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 3 different x, got 2"):
        fit_power_law((np.array([1.0, 2.0, 2.0]), np.array([3.0, 2.0, 2.1])))
    with pytest.raises(ValueError, match="larger than the irreducible part"):
        fit_power_law((SIZES, law(SIZES, 0.2, 1.0)), irreducible=50.0)
