"""Harms replicas under load: `python -m tests.benchmarks.replica_faults`.

While visitors draw, a replica is killed, or all of them, or one hangs or finds no memory, or the
page is killed. Every job must end once, with the picture of an engine that nobody harms.
"""

import argparse
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import torch

from tests.clients import Client
from tests.patience import until
from tests.processes import is_alive
from tests.replicas import (
    digest,
    draw,
    local_engine,
    ray_engine,
    replica_processes,
    request_for,
    side_by_side,
    until_there_are,
)
from tests.server import app_process
from var_core.serving.local_engine import LocalEngine
from var_core.serving.replica_settings import ReplicaSettings

REPLICAS = 2
VISITORS = 4
PICTURES = 3  # of each visitor, in a round

Harm = Callable[[list[psutil.Process]], None]


def kill_one(replicas: list[psutil.Process]) -> None:
    """Kill a replica."""
    replicas[0].kill()


def kill_all(replicas: list[psutil.Process]) -> None:
    """Kill all replicas at once."""
    for one in replicas:
        one.kill()


def stop_one(replicas: list[psutil.Process]) -> None:
    """Let a replica hang: it is there, and answers nobody."""
    replicas[0].send_signal(signal.SIGSTOP)


def starve_one(replicas: list[psutil.Process]) -> None:
    """Let a replica have no more memory than it has now."""
    size = replicas[0].memory_info().vms
    resource.prlimit(replicas[0].pid, resource.RLIMIT_AS, (size, size))


HARMS: dict[str, Harm] = {
    "one replica killed": kill_one,
    "all replicas killed": kill_all,
    "one replica hangs": stop_one,
    "one replica without memory": starve_one,
}


@dataclass(frozen=True)
class Round:
    """What a fault did.

    Attributes:
        pause_seconds: longest time that a visitor saw nothing new.
        recovery_seconds: time until as many replicas as before were there.
        equal: number of pictures that are those of an unharmed engine.
        asked: number of pictures that were asked for.
    """

    pause_seconds: float
    recovery_seconds: float
    equal: int
    asked: int


def strike(engine: LocalEngine, expected: list[str], harm: Harm, number: int) -> Round:
    """Draw with all visitors, and do harm as soon as one has seen a preview."""
    pauses, found, harmed = [0.0], [], []
    before = until_there_are(REPLICAS)

    def visit(visitor: int) -> None:
        for index in range(PICTURES):
            seed = (number * 7 + visitor * PICTURES + index) % len(expected)
            last = time.perf_counter()
            for progress in engine.generate(request_for(engine.info, seed), str(visitor)):
                now = time.perf_counter()
                pauses.append(now - last)
                last = now
                if not harmed and not progress.ahead and visitor == 0:
                    harmed.append(now)
                    harm(before)
            found.append(digest(progress) == expected[seed])

    failures = side_by_side([partial(visit, visitor) for visitor in range(VISITORS)])
    if failures:
        raise failures[0]
    hurt = {one.pid for one in before if harm is kill_all or one is before[0]}
    alive = partial(_num_other, hurt)
    until(lambda: alive() >= REPLICAS - (0 if hurt else len(before)))
    recovery = time.perf_counter() - harmed[0]
    return Round(max(pauses), recovery, sum(found), VISITORS * PICTURES)


def _num_other(pids: set[int]) -> int:
    """How many replicas there are besides some."""
    return sum(one.pid not in pids for one in replica_processes())


def kill_page(expected: str, log: Path) -> tuple[float, float]:
    """Kill a page while it draws, start it again.

    Returns:
        seconds until its replicas have ended, and until the new one has drawn.
    """
    options = ("--engine", "ray", "--replicas", str(REPLICAS), "--precision", "fp32")
    with app_process(log, *options) as (url, process):
        client = Client(url)
        events = client.events("stream", client.call("stream", {}, 1, 8, {"precision": "fp32"}))
        next(events)
        replicas = until_there_are(REPLICAS)
        process.kill()
        started = time.perf_counter()
        until(lambda: not any(is_alive(one.pid) for one in replicas))
        ended = time.perf_counter() - started
    with app_process(log, *options) as (url, _):
        assert Client(url).draw(1) == expected
        return ended, time.perf_counter() - started


def report(name: str, rounds: list[Round]) -> None:
    """Print what a fault did."""
    pauses = sorted(one.pause_seconds for one in rounds)
    recoveries = sorted(one.recovery_seconds for one in rounds)
    print(
        f"{name}: {len(rounds)} times, {sum(one.equal for one in rounds)} of "
        f"{sum(one.asked for one in rounds)} pictures equal; longest pause "
        f"{pauses[len(pauses) // 2]:.1f} s (at most {pauses[-1]:.1f}), replicas back after "
        f"{recoveries[len(recoveries) // 2]:.1f} s (at most {recoveries[-1]:.1f})",
        flush=True,
    )


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each fault happens")
    parser.add_argument("--faults", nargs="+", default=[*HARMS, "page"], metavar="FAULT")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    local = local_engine()
    expected = [draw(local, seed) for seed in range(VISITORS * PICTURES)]
    with ray_engine(ReplicaSettings(REPLICAS, REPLICAS)) as engine:
        for name in (one for one in arguments.faults if one != "page"):
            rounds = [strike(engine, expected, HARMS[name], n) for n in range(arguments.times)]
            report(name, rounds)
    if "page" in arguments.faults:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log.txt"
            with app_process(log) as (url, _):
                picture = Client(url).draw(1)
            took = [kill_page(picture, log) for _ in range(arguments.times)]
        print(
            f"page killed: {len(took)} times, its replicas ended within "
            f"{max(one[0] for one in took):.1f} s, drew again after "
            f"{max(one[1] for one in took):.1f} s at most"
        )


if __name__ == "__main__":
    main()
