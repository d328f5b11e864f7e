"""Fits recover the laws that points were made from."""

import numpy as np
import pytest

from training.study.power_laws import all_points, envelope, fit_power_law, fit_runs

SIZES = np.array([1e5, 3e5, 1e6, 3e6, 1e7])


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


def test_a_size_that_was_kept_out_is_predicted() -> None:
    values = law(SIZES, 0.2, 3.0)
    runs = [(SIZES[[index]], values[[index]]) for index in range(4)]
    found = fit_runs(runs, all_points).predict(SIZES[4])
    assert found.value == pytest.approx(values[4], rel=1e-3)


def test_the_interval_holds_the_true_exponent_of_noisy_runs() -> None:
    dice = np.random.default_rng(3)
    sizes = np.repeat(SIZES, 6)
    values = law(sizes, 0.2, 0.0) * np.exp(0.02 * dice.normal(size=len(sizes)))
    runs = [(sizes[[index]], values[[index]]) for index in range(len(sizes))]
    found = fit_runs(runs, all_points, irreducible=0.0).exponent
    assert found.low < 0.2 < found.high and found.n == 30
    assert 0 < found.high - found.low < 0.03


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
