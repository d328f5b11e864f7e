"""Real replicas of a real Ray: the same pictures, through all that happens to them."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from ray import serve

from tests.benchmarks.replica_faults import HARMS, strike
from tests.benchmarks.replicas import leave, measure_rate
from tests.patience import until
from tests.replicas import (
    draw,
    leaves_processes,
    local_engine,
    ray_engine,
    replica_processes,
    request_for,
    side_by_side,
)
from var_core.serving import ray_cluster
from var_core.serving.fair_queue import LateError
from var_core.serving.installed_engines import ModelFolders
from var_core.serving.local_engine import LocalEngine
from var_core.serving.ray_cluster import APP, application
from var_core.serving.replica_settings import ReplicaSettings

pytestmark = [pytest.mark.ray, pytest.mark.slow, leaves_processes]
TWO = ReplicaSettings(2, 2)


@pytest.fixture(scope="module")
def engine(small_scenes: Path) -> Iterator[LocalEngine]:
    with ray_engine(TWO, small_scenes) as made:
        yield made


@pytest.fixture(scope="module")
def expected(small_scenes: Path) -> list[str]:
    """Hashes of the pictures that an engine of this process draws."""
    local = local_engine(small_scenes)
    return [draw(local, seed) for seed in range(12)]


# the first one here: a process has one Ray at a time, and `engine` keeps its own
def test_replicas_come_with_the_queue_and_go_when_nobody_needs_them(
    expected: list[str], small_scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "IDLE_SECONDS", 1.0)
    with ray_engine(ReplicaSettings(0, 2), small_scenes) as engine:
        until(lambda: not replica_processes())
        drawn: list[bool] = []

        def visit() -> None:
            while len(replica_processes()) < 2 or len(drawn) < len(expected):
                seed = len(drawn) % len(expected)
                drawn.append(draw(engine, seed, str(threading.get_ident())) == expected[seed])

        assert side_by_side([visit] * 4) == []
        assert all(drawn)
        assert until(lambda: not replica_processes())
        assert engine.is_ready() and draw(engine, 1) == expected[1]


def test_pictures_are_those_of_the_local_engine_though_others_leave(
    engine: LocalEngine, expected: list[str]
) -> None:
    found = measure_rate(engine, expected, 2, True)
    assert (found.equal, found.drawn) == (12, 12) and found.left
    assert until(engine.is_idle)


def test_whoever_leaves_frees_the_replica(engine: LocalEngine, expected: list[str]) -> None:
    for seed in range(6):
        leave(engine, seed)
    assert until(engine.is_idle)
    assert draw(engine, 3) == expected[3]


def test_a_job_that_takes_too_long_is_ended(
    engine: LocalEngine, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(engine.queue, "_clock", lambda: 40.0 * next(ticks))
    with pytest.raises(LateError):
        list(engine.generate(request_for(engine.info, 1)))
    monkeypatch.undo()
    assert until(engine.is_idle) and draw(engine, 1) == expected[1]


@pytest.mark.parametrize("name", HARMS)
def test_no_fault_of_a_replica_loses_or_changes_a_job(
    engine: LocalEngine, expected: list[str], name: str
) -> None:
    found = strike(engine, expected, HARMS[name], 1)
    assert found.equal == found.asked


def test_a_rolling_restart_loses_no_job(
    engine: LocalEngine, expected: list[str], small_scenes: Path
) -> None:
    drawn: list[bool] = []

    def visit() -> None:
        while len(drawn) < 40:
            for seed, one in enumerate(expected):
                drawn.append(draw(engine, seed, str(id(visit))) == one)

    def restart() -> None:
        until(lambda: len(drawn) > 4)
        new = application(ModelFolders(small_scenes), "fp32", TWO, 1)
        serve.run(new, name=APP, route_prefix=None)

    assert side_by_side([visit, visit, restart]) == []
    assert all(drawn)
