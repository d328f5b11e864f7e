"""An engine that goes on when a test lets it: its tests need no luck with time."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator

from tests.patience import LIMIT_SECONDS
from var_core import VARPipeline
from var_core.jobs.progress import JobProgress, Request
from var_core.serving.executors import Worker
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine


class Gate:
    """Lets all scales pass while it is open, and else those that a test permits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = True
        self._permits = 0

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Let nothing pass meanwhile but what gets a permit; open at the end."""
        with self._changed:
            self._is_open, self._permits = False, 0
        try:
            yield
        finally:
            with self._changed:
                self._is_open = True
                self._changed.notify_all()

    def let(self, count: int) -> None:
        """Let some more scales pass."""
        with self._changed:
            self._permits += count
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait for a permit, and use it up."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_open or self._permits, LIMIT_SECONDS):
                raise TimeoutError("the gate was never opened")
            if not self._is_open:
                self._permits -= 1


class GatedEngine(LocalEngine):
    """An engine whose scales wait at a gate, and that remembers what it did.

    Args:
        pipeline: model of every precision.
        limits: bounds of its queue.
        clock: clock of its queue.

    Attributes:
        gate: open at first.
        steps: (seed, number of the scale) of every scale, in the order in which they came.
        most_waiting: largest number of jobs that waited while a scale came.
    """

    def __init__(
        self,
        pipeline: VARPipeline,
        limits: QueueLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.gate = Gate()
        self.steps: list[tuple[int, int]] = []
        self.most_waiting = 0
        super().__init__(
            pipeline.info, lambda dtype: pipeline, queue=FairQueue(limits or QueueLimits(), clock)
        )
        self._worker = _GatedWorker(self._worker, self)

    def num_jobs(self, outcome: str, job: str = "draw") -> int:
        """How many jobs of a kind ended in a way."""
        labels = {"job": job, "outcome": outcome}
        return int(self.metrics.registry.get_sample_value("var_studio_jobs_total", labels) or 0)


class _GatedWorker:
    """A worker whose scales wait at the gate of an engine."""

    def __init__(self, worker: Worker, engine: GatedEngine) -> None:
        self._worker = worker
        self._engine = engine
        self.prepare, self.sharpen = worker.prepare, worker.sharpen
        self.tokenize, self.code_colours = worker.tokenize, worker.code_colours
        self.answer = worker.answer

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """As `Worker.draw`; every scale waits at the gate."""
        engine = self._engine
        with contextlib.closing(self._worker.draw(request)) as steps:
            for progress in steps:
                engine.steps.append((request.seeds[0], progress.number))
                engine.most_waiting = max(engine.most_waiting, engine.queue.counts()[1])
                engine.gate.wait()
                yield progress
