"""The engine in this process: one model folder behind a fair queue."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.question import Question
from var_core.jobs.reconstruction import Reconstruction
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.serving.engine import Engine
from var_core.serving.executors import DrawingThreads, Executor
from var_core.serving.fair_queue import BusyError, FairQueue, QueueLimits, Turn
from var_core.serving.metrics import JobMetrics, JobTimer
from var_core.serving.model_cache import ModelCache
from var_core.serving.run_ahead import run_ahead
from var_core.serving.worker import ModelWorker

TICK_SECONDS = 0.5  # between two messages to a person who waits
CPU = torch.device("cpu")
Answer = TypeVar("Answer")


class LocalEngine:
    """Draws with the pipelines of one model, whose weights are loaded when they are needed.

    Args:
        info: the model.
        load: function that returns the model's pipeline in a dtype, on the device.
        queue: decides who draws next; shared by the engines of a process.
        metrics: counts how jobs end; shared by the engines of a process.
        cache: keeps pipelines in memory; shared by the engines of a process.
        executor: decides where the networks run; shared by the engines of a process.
        device: device of the pipelines.
        dtype: dtype of the precision "auto".
    """

    def __init__(
        self,
        info: ModelInfo,
        load: Callable[[torch.dtype], VARPipeline],
        *,
        queue: FairQueue | None = None,
        metrics: JobMetrics | None = None,
        cache: ModelCache | None = None,
        executor: Executor | None = None,
        device: torch.device = CPU,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.info = info
        self.device = device
        self.queue = queue or FairQueue(QueueLimits())
        self.metrics = metrics or JobMetrics()
        self.sharpen_seconds = self.queue.limits.sharpen_seconds
        self.animator: Engine | None = None
        self._executor = executor or DrawingThreads()
        self._local_worker = ModelWorker(info, load, cache or ModelCache(), device, dtype)
        self._worker = self._executor.host(self._local_worker)
        self._colours: np.ndarray | None = None

    def pipeline(self, precision: str) -> VARPipeline:
        """The pipeline of a precision, "auto", "fp32" or "bf16", to be used in this thread.

        Raises:
            ValueError: if the precision is unknown.
            ModelGoneError: if the model can no longer be loaded.
        """
        return self._local_worker.pipeline(precision)

    def prepare(self) -> None:
        """Load what the precision "auto" draws with, so that nobody has to wait for it.

        Raises:
            ValueError: if the model can no longer be loaded.
        """
        self._worker.prepare()

    def is_ready(self) -> bool:
        """As `Engine.is_ready`."""
        can_load = self._local_worker.is_loadable
        return can_load and self.queue.is_open and self._executor.is_ready(self.device)

    def is_idle(self) -> bool:
        """As `Engine.is_idle`."""
        return self.queue.counts() == (0, 0)

    def generate(self, request: Request, client: str = "") -> Iterator[JobProgress]:
        """As `Engine.generate`."""
        with self.metrics.job(request.job, len(request.wishes)) as job:
            turn = self.queue.join(client)
            try:
                while ahead := self.queue.wait(turn, TICK_SECONDS):
                    yield JobProgress(request, ahead=ahead)
                steps = run_ahead(self._draw(request, turn, job))  # gives up the turn itself
            except BaseException:
                self.queue.leave(turn)
                raise
            yield from steps

    def _draw(
        self, request: Request, turn: Turn, job: JobTimer
    ) -> Generator[JobProgress, None, None]:
        """Draw at full speed, and give up the turn; a slow reader holds nobody up."""
        started = time.monotonic()
        try:
            with _memory_left(), contextlib.closing(self._worker.draw(request)) as steps:
                for progress in steps:
                    self.queue.check(turn)
                    if progress.number == 1:
                        job.first_preview()
                    yield replace(progress, seconds=time.monotonic() - started)
            job.finish()
        finally:
            self.queue.leave(turn)

    def sharpen(
        self, progress: JobProgress, client: str = "", scale: int | None = None
    ) -> JobProgress:
        """As `Engine.sharpen`."""
        with self.turn(client):
            return self._worker.sharpen(progress, scale)

    def tokenize(self, picture: Callable[[], Image.Image], client: str = "") -> Reconstruction:
        """As `Engine.tokenize`."""
        with self.metrics.job("tokenize", 1), self.turn(client):
            return self._worker.tokenize(picture())

    def answer(self, question: Question[Answer], client: str = "") -> Answer:
        """As `Engine.answer`."""
        with self.metrics.job(question.job, 0), self.turn(client), _memory_left():
            return self._worker.answer(question)

    def code_colours(self) -> np.ndarray:
        """As `Engine.code_colours`."""
        if self._colours is None:
            self._colours = self._worker.code_colours()
        return self._colours

    @contextlib.contextmanager
    def turn(self, client: str = "", *, is_owed: bool = False) -> Iterator[None]:
        """As `Engine.turn`."""
        turn = self.queue.join(client, is_owed=is_owed)
        try:
            deadline = time.monotonic() + self.queue.limits.seconds
            while self.queue.wait(turn, TICK_SECONDS):
                if time.monotonic() > deadline and not is_owed:
                    raise BusyError("too many others are drawing: try again in a minute")
            yield
        finally:
            self.queue.leave(turn)


@contextlib.contextmanager
def _memory_left() -> Iterator[None]:
    """Say in a sentence that the memory of the device was too small."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise BusyError("the device is out of memory: draw fewer pictures") from error
