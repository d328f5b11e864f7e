"""Simulates 1 to 1,000 replicas through a day: `python -m tests.benchmarks.fleet`.

Nothing is drawn: service times are what was measured on one replica (`--seconds`), arrivals are
those of a day on the internet. Each hour has its own rate, lowest at 4 and highest at 20 o'clock,
and within it visitors come at random. Several times a day somebody posts a link, and for ten
minutes three times as many come. Whoever comes takes a place in the queue, first come first served;
a page refuses whom its queue has no place for.

Every fleet gets as many visitors as it can serve: with more, one in a hundred waits too long. Of
every hour a part is simulated, calm and crowded, and counted as often as it happens.

`python -m tests.benchmarks.replicas` sends the same arrivals to real replicas and to this.
"""

import argparse
import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.benchmarks.report import write_json
from var_core.serving.fair_queue import QueueLimits

FLEETS = (1, 2, 4, 10, 30, 100, 300, 1000)
HOURS = np.arange(24)
SHAPE = 1 + 0.6 * np.cos(2 * np.pi * (HOURS - 20) / 24)  # of the mean rate
CROWD_RATE = 3.0  # times the rate of the hour
CROWD_SHARE = 4 * 10 / (24 * 60)  # of the day: four times ten minutes
WAIT_SECONDS = 5.0  # that one visitor in a hundred may wait longer
PAGE_LOAD = 0.7  # of a page's processor
PART = 40  # visitors that each replica serves in a part of an hour, at its full speed
PART_SECONDS = 10.0  # that such a part takes at least: a queue needs time to fill
MOST_BUSY = 0.95  # share of a calm hour that replicas draw: with more, the queue only grows
WARM = 0.2  # of a part, which is not counted: it begins with an empty queue


@dataclass(frozen=True)
class Work:
    """What one picture costs.

    Attributes:
        seconds: time of a replica, from one picture to the next.
        spread: standard deviation of that time, as a share of it.
        page_seconds: processor time of a page.
    """

    seconds: float
    spread: float
    page_seconds: float

    def pages(self, rate: float) -> int:
        """Pages that a rate of pictures needs."""
        return max(1, math.ceil(rate * self.page_seconds / PAGE_LOAD))

    def times(self, count: int, dice: np.random.Generator) -> np.ndarray:
        """Times of so many pictures."""
        if not self.spread:
            return np.full(count, self.seconds)
        sigma = math.sqrt(math.log(1 + self.spread**2))
        return dice.lognormal(math.log(self.seconds) - sigma**2 / 2, sigma, count)


@dataclass
class Waits:
    """How long visitors waited.

    Attributes:
        seconds: of each visitor who was served.
        weights: how many visitors of a day each of them stands for.
        refused: visitors of a day who were refused.
    """

    seconds: list[np.ndarray] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    refused: float = 0.0

    def quantile(self, share: float) -> float:
        """Seconds that this share of the visitors waited at most; those refused wait forever."""
        seconds, weights = np.concatenate(self.seconds), np.concatenate(self.weights)
        order = np.argsort(seconds)
        reached = np.cumsum(weights[order]) / (weights.sum() + self.refused)
        place = int(np.searchsorted(reached, share))
        return float(seconds[order[place]]) if place < len(seconds) else math.inf

    @property
    def served(self) -> float:
        """Visitors of a day who were served."""
        return float(sum(weights.sum() for weights in self.weights))


def queue_up(arrivals: np.ndarray, times: np.ndarray, replicas: int, places: int) -> np.ndarray:
    """Seconds that each visitor waits, first come first served; NaN for whom there is no place.

    Args:
        arrivals: when each comes, in order, (N,) seconds.
        times: time that each takes a replica, (N,) seconds.
        replicas: number of replicas.
        places: number of visitors who may wait.
    """
    free, starts = [0.0] * replicas, deque[float]()
    waits = np.full(len(arrivals), np.nan)
    for number, (now, takes) in enumerate(zip(arrivals.tolist(), times.tolist(), strict=True)):
        while starts and starts[0] <= now:
            starts.popleft()
        if len(starts) >= places:
            continue
        start = max(now, free[0])
        heapq.heapreplace(free, start + takes)
        if start > now:
            starts.append(start)
        waits[number] = start - now
    return waits


def live(work: Work, replicas: int, rate: float, dice: np.random.Generator) -> Waits:
    """A day of a fleet.

    Args:
        work: what one picture costs.
        replicas: number of replicas, all day.
        rate: visitors a second, in the mean of the calm day.
        dice: draws arrivals and times.
    """
    found = Waits()
    places = QueueLimits.waiting * work.pages(rate * float(SHAPE.max()))
    for shape in SHAPE:
        for factor, share in ((1.0, 1 - CROWD_SHARE), (CROWD_RATE, CROWD_SHARE)):
            here = rate * float(shape) * factor
            count = max(PART * max(replicas, 50), int(here * PART_SECONDS))
            arrivals = np.cumsum(dice.exponential(1 / here, count))
            waits = queue_up(arrivals, work.times(count, dice), replicas, places)
            waits = waits[int(WARM * count) :]
            weight = here * share * 3600 / len(waits)
            served = waits[~np.isnan(waits)]
            found.seconds.append(served)
            found.weights.append(np.full(len(served), weight))
            found.refused += weight * (len(waits) - len(served))
    return found


def most_visitors(work: Work, replicas: int, seed: int) -> float:
    """The largest mean rate at which no more than one in a hundred of a calm day waits too long."""
    low, high = 0.0, MOST_BUSY * replicas / (work.seconds * float(SHAPE.max()))
    for _ in range(9):
        rate = (low + high) / 2
        peak, dice = rate * float(SHAPE.max()), np.random.default_rng(seed)
        count = PART * max(replicas, 100)
        arrivals = np.cumsum(dice.exponential(1 / peak, count))
        places = QueueLimits.waiting * work.pages(peak)
        waits = queue_up(arrivals, work.times(count, dice), replicas, places)
        waits = np.nan_to_num(waits[int(WARM * count) :], nan=math.inf)
        if np.quantile(waits, 0.99, method="higher") <= WAIT_SECONDS:
            low = rate
        else:
            high = rate
    return low


@dataclass(frozen=True)
class Row:
    """A fleet through a day.

    Attributes:
        replicas: number of replicas.
        pictures_an_hour: pictures in the mean hour of the day.
        busy: share of their time that the replicas draw.
        wait_p50: seconds that half the visitors wait at most.
        wait_p95: seconds that all but one in twenty wait at most; infinite where more are
            refused.
        refused: share of the visitors who are refused, nearly all of them in crowds.
        replica_seconds: of the fixed fleet, for one picture.
        following_seconds: the same of a fleet that follows the hours.
        pages: number of page servers.
    """

    replicas: int
    pictures_an_hour: float
    busy: float
    wait_p50: float
    wait_p95: float
    refused: float
    replica_seconds: float
    following_seconds: float
    pages: int


def row_of(work: Work, replicas: int, seed: int = 0) -> Row:
    """A fleet with as many visitors as it can serve."""
    rate = most_visitors(work, replicas, seed)
    waits = live(work, replicas, rate, np.random.default_rng(seed))
    needed = np.maximum(1, np.ceil(replicas * SHAPE / SHAPE.max()))  # in each hour
    return Row(
        replicas,
        waits.served / 24,
        waits.served * work.seconds / (replicas * 86_400),
        waits.quantile(0.5),
        waits.quantile(0.95),
        waits.refused / (waits.refused + waits.served),
        replicas * 86_400 / waits.served,
        float(needed.sum()) * 3600 / waits.served,
        work.pages(rate * float(SHAPE.max())),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows, as Markdown."""
    lines = [
        "| replicas | pictures an hour | busy | wait p50 | wait p95 | refused | replica seconds a "
        "picture | following the hours | pages |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        lines.append(
            f"| {one.replicas:,} | {one.pictures_an_hour:,.0f} | {one.busy:.0%} | "
            f"{one.wait_p50:.2f} s | {one.wait_p95:.2f} s | {one.refused:.1%} | "
            f"{one.replica_seconds:.2f} | {one.following_seconds:.2f} | {one.pages} |"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a replica for a picture")
    parser.add_argument("--spread", type=float, default=0.1, help="its deviation, as a share")
    parser.add_argument("--page-seconds", type=float, default=0.03, help="of a page's processor")
    parser.add_argument("--fleets", type=int, nargs="+", default=FLEETS, help="replicas")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    work = Work(arguments.seconds, arguments.spread, arguments.page_seconds)
    rows = [row_of(work, replicas) for replicas in arguments.fleets]
    print(table(rows))
    if arguments.json:
        write_json(arguments.json, {"work": work.__dict__}, {"fleets": rows})


if __name__ == "__main__":
    main()
