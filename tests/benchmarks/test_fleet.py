"""The simulated fleet keeps the laws of queues."""

import math

import numpy as np
import pytest

from tests.benchmarks.fleet import Work, main, queue_up, row_of


def test_one_replica_waits_as_the_formula_of_pollaczek_and_khinchine_says() -> None:
    dice, load = np.random.default_rng(3), 0.6
    arrivals = np.cumsum(dice.exponential(1 / load, 40_000))
    waits = queue_up(arrivals, np.ones(40_000), 1, 10_000)
    assert waits.mean() == pytest.approx(load / (2 * (1 - load)), rel=0.05)


def test_whoever_finds_no_place_is_refused_and_delays_nobody() -> None:
    arrivals = np.array([0.0, 0.1, 0.2, 0.3, 2.5])
    waits = queue_up(arrivals, np.ones(5), 1, 2)
    assert waits[:3] == pytest.approx([0, 0.9, 1.8])
    assert math.isnan(waits[3]) and waits[4] == pytest.approx(0.5)


def test_a_larger_fleet_serves_more_with_each_replica() -> None:
    rows = [row_of(Work(1.0, 0.1, 0.03), replicas) for replicas in (1, 8)]
    assert rows[1].pictures_an_hour > 8 * rows[0].pictures_an_hour
    assert rows[0].busy < rows[1].busy < 1
    assert all(one.following_seconds <= one.replica_seconds for one in rows)


def test_the_command_prints_a_row_for_each_fleet(capsys: pytest.CaptureFixture) -> None:
    main(["--fleets", "1", "2", "--seconds", "0.5"])
    assert capsys.readouterr().out.count("\n| ") == 2
