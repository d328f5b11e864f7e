"""An engine whose networks run on replicas, on this machine or on many: `--engine ray`.

The queue stays with the page: clients take turns there, as many at once as there are replicas, and
jobs are timed and counted once, however often they are begun. A job whose replica ends is drawn
again on another one. The same request draws the same pictures, so whoever watches sees a pause.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from ray.exceptions import RayError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.question import Question
from var_core.jobs.reconstruction import Reconstruction
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.serving.engine import Engine
from var_core.serving.fair_queue import BusyError, FairQueue, QueueLimits
from var_core.serving.installed_engines import ModelFolders, assemble, check_models
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.serving.progress_parts import lengthen
from var_core.serving.ray_cluster import is_running, running_replicas
from var_core.serving.ray_door import DoorHandle
from var_core.serving.replica_settings import ReplicaSettings

TRIES = 4  # of a job whose replicas end; one that ends them all is to blame itself
PAUSE_SECONDS = 0.2  # before the second try, twice as long before the third
WATCH_SECONDS = 2.0
STALE_SECONDS = 10.0
LOST = (RayError, RayServeException)  # of replicas and their network; of jobs there are none
Answer = TypeVar("Answer")


@contextlib.contextmanager
def make_ray_engines(
    folders: ModelFolders,
    precision: str,
    metrics: JobMetrics,
    queue: FairQueue,
    settings: ReplicaSettings,
) -> Iterator[list[Engine]]:
    """As `started_engines`, for engines that draw on replicas.

    Raises:
        ValueError: if a model or the adapter is missing or damaged, or there can be no such
            replicas.
    """
    folders = folders.absolute()  # replicas start elsewhere
    check_models(folders)
    with running_replicas(folders, precision, settings) as handle, Watch(is_running) as watch:
        device = torch.device(_value(handle.options(method_name="about").remote().result()))

        def make(info: ModelInfo, load: Callable[[torch.dtype], VARPipeline]) -> RayEngine:
            worker = ReplicaWorker(handle, info.name, queue.limits)
            return RayEngine(info, load, worker, watch, queue, metrics, device)

        yield assemble(folders, device, False, make)


class RayEngine(LocalEngine):
    """Queues, times and counts jobs here, and has them drawn by replicas.

    Args:
        info: the model.
        load: function that loads the model; only replicas need to.
        worker: worker that asks the replicas.
        watch: watch over the replicas.
        queue: decides who draws next.
        metrics: counts how jobs end.
        device: device of the replicas.
    """

    def __init__(
        self,
        info: ModelInfo,
        load: Callable[[torch.dtype], VARPipeline],
        worker: "ReplicaWorker",
        watch: "Watch",
        queue: FairQueue,
        metrics: JobMetrics,
        device: torch.device,
    ) -> None:
        super().__init__(info, load, queue=queue, metrics=metrics, device=device)
        self._worker, self._watch = worker, watch

    def is_ready(self) -> bool:
        """As `Engine.is_ready`."""
        return self.queue.is_open and self._watch.is_well


class ReplicaWorker:
    """The methods of `Worker`, done by any replica.

    Args:
        handle: handle of the replicas.
        model: name of the model.
        limits: limits of the page's queue.
    """

    def __init__(
        self, handle: DeploymentHandle | DoorHandle, model: str, limits: QueueLimits
    ) -> None:
        self._draw = handle.options(method_name="draw", stream=True)
        self._ask = handle.options(method_name="ask")
        self._model, self._limits = model, limits

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """As `Worker.draw`; where a replica ends, another one begins again.

        Raises:
            BusyError: if that does not help.
            LateError: if no replica goes on.
        """
        newest, deadline = JobProgress(request), time.monotonic() + self._limits.seconds
        for number in range(TRIES):
            _pause(number)
            steps: Any = self._draw.remote(self._model, request)
            progress = JobProgress(request)
            alarm = threading.Timer(deadline - time.monotonic(), steps.cancel)
            alarm.daemon = True
            alarm.start()
            try:
                for part in chain.from_iterable(steps):
                    before, progress = progress, lengthen(_value(part), progress)
                    if before.number < progress.number <= newest.number:
                        continue  # what was seen before the pause is not news
                    if progress.number >= newest.number:
                        newest = progress
                    yield newest  # once more, if the work only goes on
                return
            except LOST as error:
                _check_room(error)
                if time.monotonic() > deadline:
                    raise self._limits.late() from error
            except BaseException:  # also that nobody looks any more
                steps.cancel()
                raise
            finally:
                alarm.cancel()
        raise _gone()

    def prepare(self) -> None:
        """As `Worker.prepare`."""
        self._answer("prepare")

    def sharpen(self, progress: JobProgress, scale: int | None) -> JobProgress:
        """As `Worker.sharpen`."""
        return self._answer("sharpen", progress, scale)

    def tokenize(self, image: Image.Image) -> Reconstruction:
        """As `Worker.tokenize`."""
        return self._answer("tokenize", image)

    def answer(self, question: Question[Answer]) -> Answer:
        """As `Worker.answer`."""
        return self._answer("answer", question)

    def code_colours(self) -> np.ndarray:
        """As `Worker.code_colours`."""
        return self._answer("code_colours")

    def _answer(self, method: str, *given: object) -> Any:
        """The result of a method without steps, of the first replica that does not end."""
        for number in range(TRIES):
            _pause(number)
            asked = self._ask.remote(self._model, method, *given)
            try:
                return _value(asked.result(timeout_s=self._limits.seconds))
            except TimeoutError as error:
                asked.cancel()
                raise _gone() from error
            except LOST as error:
                _check_room(error)
        raise _gone()


class Watch:
    """Looks at something every two seconds, so that whoever asks does not wait for the answer.

    Args:
        look: function that returns whether all is well; an error, or no answer for ten seconds,
            means that it is not.
        clock: function that returns seconds that never go back.
    """

    def __init__(
        self, look: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._clock = look, clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._until = clock() + STALE_SECONDS

    @property
    def is_well(self) -> bool:
        """Whether all was well a moment ago."""
        return self._clock() < self._until

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            try:
                is_well = self._look()
            except LOST:
                is_well = False
            self._until = self._clock() + STALE_SECONDS if is_well else 0.0


def _value(item: Any) -> Any:
    """What a replica has found; an error is raised here as it was there."""
    if isinstance(item, Exception):
        raise item
    return item


def _pause(number: int) -> None:
    """Leave Ray some time before a further try."""
    if number:
        time.sleep(PAUSE_SECONDS * 2 ** (number - 1))


def _check_room(error: Exception) -> None:
    """Check that a replica was lost.

    Raises:
        BusyError: if there is no room for the job.
    """
    if isinstance(error, BackPressureError):
        raise BusyError("too many others are drawing: try again in a minute") from error


def _gone() -> BusyError:
    return BusyError("the machines that draw have failed several times: try again in a minute")
