"""Measures a busy server: `python -m tests.benchmarks.serve`.

Starts `python app.py`. Visitors with addresses of their own ask for a mix of jobs, one after the
other, each as soon as the last one is answered. In between, an engine of this process does the same
jobs alone, without a server. Nothing is asserted.

With `--requests` every job comes from a new visitor, after so many open pages that each further one
drives another out: what the server then takes more and more of is never given back.
"""

import argparse
import contextlib
import itertools
import queue
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.benchmarks.report import host, write_json
from tests.benchmarks.visitors import (
    COUNTS,
    KINDS,
    PAGE,
    Answer,
    PageCall,
    Visitor,
    read_page,
    run_alone,
)
from tests.server import app_process
from var_core.devices import pick_device
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.engine import Engine
from var_core.serving.executors import pick_executor
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.installed_engines import make_engines
from var_core.serving.metrics import JobMetrics

ROUNDS = 3  # of the server; the engine works before, between and after them
FIRST_PASSING = 1_000  # number of the first visitor who does not stay
PAGES = 500  # that a server keeps the values of
ALONE_RUNS = 6  # of each kind, every time that the engine works alone
SHARPEN_SECONDS = "0.75"  # as by default
TROUBLES = ("Traceback", '"event": "fault"')

Visit = Callable[[Callable[[Answer], None]], None]  # hands every answer on


@dataclass(frozen=True)
class Latency:
    """How long visitors waited for a kind of job.

    Attributes:
        name: kind of the job.
        count: number of finished jobs.
        alone_ms: milliseconds that the engine takes alone.
        median_ms: milliseconds from the request to the result.
        p95_ms: the same, of the slowest twentieth at least.
    """

    name: str
    count: int
    alone_ms: float
    median_ms: float
    p95_ms: float


@dataclass
class Load:
    """What visitors got of a server, and what it cost.

    Attributes:
        answers: all answers.
        seconds: time that the visitors were there.
        server_seconds: processor time of the server meanwhile.
        client_seconds: processor time of the visitors.
    """

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0
    server_seconds: float = 0.0
    client_seconds: float = 0.0

    def finished(self) -> list[Answer]:
        """The answers that are results."""
        return [one for one in self.answers if not one.refusal]


def measure_alone(engine: Engine, runs: int, taken: dict[str, list[float]]) -> None:
    """Time jobs of all kinds in an engine of this process, in turn."""
    for seed in range(runs):
        for kind in KINDS:
            started = time.perf_counter()
            run_alone(engine, kind, seed)
            taken[kind].append(time.perf_counter() - started)


def visit(
    process: psutil.Process,
    visits: Sequence[Visit],
    load: Load,
) -> None:
    """Let visitors come, each in a thread, until all have gone; add to what was measured.

    Args:
        process: the server.
        visits: what each visitor does; answers are given to the argument.
        load: what was measured so far.
    """
    threads = [
        threading.Thread(target=one, args=(load.answers.append,), daemon=True) for one in visits
    ]
    server, own, started = _cpu(process), time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds += time.perf_counter() - started
    load.server_seconds += _cpu(process) - server
    load.client_seconds += time.process_time() - own


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def staying(url: str, page: PageCall, number: int, seconds: float) -> Visit:
    """A visitor who asks for all kinds of jobs in turn, for some seconds."""

    def stay(note: Callable[[Answer], None]) -> None:
        visitor, deadline = Visitor(url, number, page), time.perf_counter() + seconds
        for turn in itertools.count(number):
            if time.perf_counter() > deadline:
                return
            note(visitor.ask(KINDS[turn % len(KINDS)], turn))

    return stay


def passing(
    url: str, page: PageCall, numbers: Iterable[int], kinds: Sequence[str] = KINDS
) -> Visit:
    """Visitors who come one after the other and ask for one job each."""

    def come(note: Callable[[Answer], None]) -> None:
        for number in numbers:  # which several of them share
            note(Visitor(url, number, page).ask(kinds[number % len(kinds)], number))

    return come


class Numbers:
    """Numbers counting up, for several threads.

    Args:
        first: the first one.
        count: how many there are.
    """

    def __init__(self, first: int, count: int) -> None:
        self._left = queue.SimpleQueue[int]()
        for number in range(first, first + count):
            self._left.put(number)

    def __iter__(self) -> Iterator[int]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._left.get_nowait()


def latencies(load: Load, alone: dict[str, list[float]]) -> list[Latency]:
    """One row for each kind."""
    rows = []
    for kind in KINDS:
        taken = sorted(1000 * one.seconds for one in load.finished() if one.kind == kind)
        if taken:
            late = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
            quick = 1000 * statistics.median(alone[kind])
            rows.append(Latency(kind, len(taken), quick, statistics.median(taken), late))
    return rows


def facts_of(load: Load, alone: dict[str, list[float]], log: str) -> dict:
    """What follows from the answers."""
    finished, needed = load.finished(), {k: statistics.median(v) for k, v in alone.items()}
    engine_seconds = sum(needed[one.kind] for one in finished)
    pictures = sum(COUNTS[one.kind] for one in finished)
    served = Counter({one.visitor: 0 for one in load.answers})
    served.update(one.visitor for one in finished)
    return {
        "pictures a second": round(pictures / load.seconds, 1),
        "engine alone": round(pictures / engine_seconds, 1) if finished else 0.0,
        "share %": round(100 * engine_seconds / load.seconds, 1),
        "finished by visitor": [
            min(served.values()),
            statistics.median(served.values()),
            max(served.values()),
        ],
        "refusals": dict(Counter(one.refusal for one in load.answers if one.refusal)),
        "exceptions": sum(log.count(words) for words in TROUBLES),
        "processor seconds, server": round(load.server_seconds, 1),
        "processor seconds, visitors": round(load.client_seconds, 1),
        "seconds": round(load.seconds, 1),
    }


def measure(
    process: psutil.Process, url: str, arguments: argparse.Namespace, alone: dict[str, list[float]]
) -> tuple[Load, list[dict]]:
    """Load a server; what its visitors got, and its memory at several times.

    Args:
        process: the server.
        url: its address.
        arguments: the command line.
        alone: seconds that each kind takes an engine alone; this adds to them.
    """
    engines = make_engines(
        EMBEDDED_FOLDER, "auto", pick_executor(), JobMetrics(), FairQueue(QueueLimits())
    )
    engine, page, load, memory = engines[0], read_page(url), Load(), [memory_of(process, 0)]
    engine.prepare()
    measure_alone(engine, 1, defaultdict(list))
    visit(process, [staying(url, page, number, 0.5) for number in range(len(KINDS))], Load())
    if arguments.requests:
        opening = passing(url, page, Numbers(FIRST_PASSING, arguments.pages), [PAGE])
        visit(process, [opening] * arguments.visitors, Load())
    memory.append(memory_of(process, 0))
    measure_alone(engine, arguments.runs, alone)
    for round_number in range(ROUNDS):
        if arguments.requests:
            count = arguments.requests // ROUNDS
            first = FIRST_PASSING + arguments.pages + round_number * count
            visits = [passing(url, page, Numbers(first, count))] * arguments.visitors
        else:
            share = arguments.seconds / ROUNDS
            visits = [staying(url, page, number, share) for number in range(arguments.visitors)]
        visit(process, visits, load)
        memory.append(memory_of(process, len(load.answers)))
        measure_alone(engine, arguments.runs, alone)
    return load, memory


def memory_of(process: psutil.Process, answers: int) -> dict:
    """Memory and descriptors of the server after so many answers."""
    mebibytes = round(process.memory_info().rss / 2**20)
    return {"answers": answers, "MiB": mebibytes, "descriptors": process.num_fds()}


def print_report(rows: list[Latency], facts: dict, memory: list[dict]) -> None:
    """The tables."""
    print(f"\n{'':16}  jobs  alone ms  median ms   95 % ms")
    for row in rows:
        print(
            f"{row.name:16}  {row.count:4}  {row.alone_ms:8.1f}  {row.median_ms:9.0f}  "
            f"{row.p95_ms:8.0f}"
        )
    for name, value in facts.items():
        print(f"{name}: {value}")
    for one in memory:
        print(f"after {one['answers']} answers: {one['MiB']} MiB, {one['descriptors']} descriptors")


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30, help="how many are there at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they stay")
    parser.add_argument("--requests", type=int, help="as many jobs, each of a new visitor")
    parser.add_argument("--pages", type=int, default=PAGES, help="open pages before --requests")
    parser.add_argument("--runs", type=int, default=ALONE_RUNS, help="of the engine alone")
    parser.add_argument("--log", type=Path, help="file for the log of the server")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    described = {"host": host(pick_device())}
    print(*(f"{key} {value}" for key, value in described["host"].items()), sep=", ")
    alone: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        log = arguments.log or Path(folder) / "log.txt"
        options = ("--proxies", "1", "--sharpen-seconds", SHARPEN_SECONDS)
        with app_process(log, *options) as (url, server):
            load, memory = measure(psutil.Process(server.pid), url, arguments, alone)
        text = log.read_text()
    rows, facts = latencies(load, alone), facts_of(load, alone, text)
    print_report(rows, facts, memory)
    if arguments.json:
        described |= {"facts": facts, "memory": memory}
        write_json(arguments.json, described, {"latency": rows})


if __name__ == "__main__":
    main()
