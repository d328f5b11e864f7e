"""Measures 1 and 2 replicas on this machine: `python -m tests.benchmarks.replicas`.

Each replica has one thread. First as many pictures as fit into a time, with visitors who leave in
the middle between them; every picture is compared with that of an engine of this process. Then
visitors who come at random, and the same arrivals in the simulation of `fleet`.
"""

import argparse
import os
import statistics
import threading
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from tests.benchmarks.fleet import Work, queue_up
from tests.benchmarks.report import host
from tests.replicas import draw, local_engine, ray_engine, request_for, side_by_side
from var_core.serving.engine import Engine
from var_core.serving.fair_queue import MAX_WAITING
from var_core.serving.replica_settings import ReplicaSettings

LEAVING = 5  # one visitor in so many leaves after the second preview
LOAD = 0.6  # of the replicas, where visitors come at random


@dataclass(frozen=True)
class Rate:
    """What some replicas did.

    Attributes:
        pictures_a_second: finished pictures.
        own_seconds: processor time of this process for each, where a page would be.
        equal: number of pictures that are those of the engine of this process.
        drawn: number of pictures.
        left: number of drawings that were left in the middle.
    """

    pictures_a_second: float
    own_seconds: float
    equal: int
    drawn: int
    left: int


def leave(engine: Engine, seed: int) -> None:
    """Look at two previews of a picture, and go."""
    steps = engine.generate(request_for(engine.info, seed), "leaving")
    for progress in steps:
        if progress.number == 2:
            break
    steps.close()


def measure_rate(engine: Engine, expected: list[str], replicas: int, are_leaving: bool) -> Rate:
    """Draw all seeds once, three visitors for each replica at a time."""
    lock, seeds, found, left = threading.Lock(), list(range(len(expected))), {}, []

    def visit(number: int) -> None:
        while True:
            with lock:
                if not seeds:
                    return
                seed = seeds.pop(0)
            if are_leaving and seed % LEAVING == 0:
                leave(engine, seed)
                left.append(seed)
            found[seed] = draw(engine, seed, f"visitor {number}")

    started, own = time.perf_counter(), time.process_time()
    failures = side_by_side([partial(visit, number) for number in range(3 * replicas)])
    seconds, own = time.perf_counter() - started, time.process_time() - own
    if failures:
        raise failures[0]
    equal = sum(found[seed] == one for seed, one in enumerate(expected))
    return Rate(len(found) / seconds, own / len(found), equal, len(found), len(left))


def measure_waits(engine: Engine, replicas: int, seconds: float, count: int) -> np.ndarray:
    """Times from arrival to picture, and those of the simulation: (2, N) seconds.

    Args:
        engine: engine of the replicas.
        replicas: number of replicas.
        seconds: time of a replica for a picture.
        count: number of visitors.
    """
    dice = np.random.default_rng(replicas)
    arrivals = np.cumsum(dice.exponential(seconds / (replicas * LOAD), count))
    begin, took = time.perf_counter() + 0.5, np.zeros(count)

    def visit(number: int) -> None:
        time.sleep(max(0.0, begin + arrivals[number] - time.perf_counter()))
        draw(engine, number, f"visitor {number}")
        took[number] = time.perf_counter() - begin - arrivals[number]

    failures = side_by_side([partial(visit, number) for number in range(count)])
    if failures:
        raise failures[0]
    times = Work(seconds, 0.0, 0.0).times(count, dice)
    return np.stack([took, queue_up(arrivals, times, replicas, MAX_WAITING) + times])


def report(replicas: int, engine: Engine, expected: list[str], visitors: int) -> Rate:
    """Measure and print."""
    measure_rate(engine, expected[: 4 * replicas], replicas, False)
    rates = [measure_rate(engine, expected, replicas, False) for _ in range(3)]
    best = max(rates, key=lambda one: one.pictures_a_second)
    middle = statistics.median(one.pictures_a_second for one in rates)
    print(
        f"{replicas} replicas: {middle:.2f} pictures a second (best {best.pictures_a_second:.2f}), "
        f"{1000 * best.own_seconds:.1f} ms of this process each"
    )
    mixed = measure_rate(engine, expected, replicas, True)
    print(f"  {mixed.equal} of {mixed.drawn} equal, {mixed.left} left in the middle", flush=True)
    if visitors:
        real, simulated = measure_waits(engine, replicas, replicas / middle, visitors)
        for share in (0.5, 0.9, 0.99):
            took, expects = np.quantile(real, share), np.quantile(simulated, share)
            print(
                f"  from arrival to picture, {share:.0%}: {took:.3f} s, "
                f"simulated {expects:.3f} s ({took / expects - 1:+.0%})",
                flush=True,
            )
    return best


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="+", default=(1, 2))
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--visitors", type=int, default=200, help="who come at random")
    arguments = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    print(*(f"{key} {value}" for key, value in host(torch.device("cpu")).items()), sep=", ")
    local, found = local_engine(), {}
    expected = [draw(local, seed) for seed in range(arguments.pictures)]
    for replicas in arguments.replicas:
        with ray_engine(ReplicaSettings(replicas, replicas)) as engine:
            found[replicas] = report(replicas, engine, expected, arguments.visitors)
    first, *_, last = found.values()
    print(f"times as many: {last.pictures_a_second / first.pictures_a_second:.2f}")


if __name__ == "__main__":
    main()
