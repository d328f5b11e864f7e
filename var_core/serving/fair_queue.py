"""Who draws next: a bounded, fair queue that needs no server.

The defaults of its length and of the jobs of one client are in `QueueLimits`. `--queue` and
`--per-client` change them, and a Space sets the same values in README.md and `Spacefile`.
"""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_WAITING = 256  # longest queue that can be asked for; on a server every job in it holds a thread


class BusyError(ValueError):
    """There is no room at the moment."""


class LateError(ValueError):
    """A job took too long."""


@dataclass(frozen=True)
class QueueLimits:
    """Limits of the queue and of the jobs in it.

    Attributes:
        running: number of jobs that run at once.
        waiting: number of jobs that wait.
        per_client: number of jobs of one client, running and waiting.
        seconds: time that one job may run.
        sharpen_seconds: time after a drawing for true decodes that nobody has asked for.
    """

    running: int = 1
    waiting: int = 32
    per_client: int = 3
    seconds: float = 60.0
    sharpen_seconds: float = 0.75

    def late(self) -> LateError:
        """The error of a job whose time is over."""
        return LateError(
            f"a drawing may take {self.seconds:g} seconds, this one took longer: "
            "draw fewer pictures at once"
        )


@dataclass(eq=False)
class Turn:
    """The place of one job.

    Attributes:
        client: address of the person who asked.
        since: time when it began to run; None while it waits.
        has_begun: set when it begins, so that this job alone wakes up.
    """

    client: str
    since: float | None = None
    has_begun: threading.Event = field(default_factory=threading.Event)


class FairQueue:
    """Serves clients round robin, so that many jobs of one client do not delay those of another.

    Args:
        limits: limits of the queue.
        clock: function that returns seconds that never go back.
    """

    def __init__(self, limits: QueueLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Turn] = []  # in the order of arrival
        self._running: list[Turn] = []
        self._served: dict[str, int] = {}  # of clients that are here: number of their last turn
        self._numbers = itertools.count()
        self._is_closed = False

    def close(self) -> None:
        """Let nobody join any more; those who are here get their turns."""
        self._is_closed = True

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return not self._is_closed

    def counts(self) -> tuple[int, int]:
        """How many jobs run and wait."""
        with self._lock:
            return len(self._running), len(self._waiting)

    def join(self, client: str, *, is_owed: bool = False) -> Turn:
        """Take a place in the queue.

        Args:
            client: address of the person who asks.
            is_owed: whether it is the end of a job that had its turn, which nobody may refuse.

        Raises:
            BusyError: if all places are taken, or too many by this client, or it was closed.
        """
        with self._lock:
            if not is_owed:
                self._check_room(client)
            turn = Turn(client)
            self._waiting.append(turn)
            self._admit()
            return turn

    def _check_room(self, client: str) -> None:
        if self._is_closed:
            raise BusyError("this server is about to end: try again in a minute")
        here = [turn for turn in (*self._running, *self._waiting) if turn.client == client]
        if len(here) >= self.limits.per_client:
            raise BusyError(
                f"{len(here)} of your drawings are under way already, which is the limit: "
                "wait until one has ended"
            )
        if len(self._waiting) >= self.limits.waiting:
            raise BusyError(f"{len(self._waiting)} others are waiting: try again in a minute")

    def wait(self, turn: Turn, seconds: float) -> int:
        """Wait for a turn, for at most some seconds.

        Returns:
            Number of jobs that go first; 0 if it is this one's turn.
        """
        turn.has_begun.wait(seconds)
        with self._lock:
            late = [one for one in self._running if self._is_late(one)]
            for one in late:  # abandoned without being closed
                self._running.remove(one)
            self._admit()
            if turn.since is not None:
                return 0
            return len(self._running) + self._order().index(turn)

    def check(self, turn: Turn) -> None:
        """Check that a running job still has time.

        Raises:
            LateError: if its time is over.
        """
        with self._lock:
            if turn not in self._running or self._is_late(turn):
                raise self.limits.late()

    def leave(self, turn: Turn) -> None:
        """Give the place back; a second time does nothing."""
        with self._lock:
            for places in (self._running, self._waiting):
                if turn in places:
                    places.remove(turn)
            if all(one.client != turn.client for one in (*self._running, *self._waiting)):
                self._served.pop(turn.client, None)
            self._admit()

    def _is_late(self, turn: Turn) -> bool:
        return turn.since is not None and self._clock() - turn.since > self.limits.seconds

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self.limits.running:
            turn = self._order()[0]
            self._waiting.remove(turn)
            self._running.append(turn)
            self._served[turn.client] = next(self._numbers)
            turn.since = self._clock()
            turn.has_begun.set()

    def _order(self) -> list[Turn]:
        """The waiting jobs, the next one first: always one of the client served longest ago."""
        served, left, order = dict(self._served), list(self._waiting), []
        number = max(served.values(), default=0)
        while left:
            number += 1
            turn = min(left, key=lambda one: served.get(one.client, -1))
            left.remove(turn)
            order.append(turn)
            served[turn.client] = number
        return order
