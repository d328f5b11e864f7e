"""Replicas of a Ray of this process's own, for tests and benchmarks that watch or harm them."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.patience import until
from tests.processes import is_alive
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.model_info import ModelInfo
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.engine import Engine
from var_core.serving.executors import pick_executor
from var_core.serving.fair_queue import MAX_WAITING, FairQueue, QueueLimits
from var_core.serving.installed_engines import ModelFolders, make_engines, started_engines
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.serving.replica_settings import ReplicaSettings

TITLE = "ray::ServeReplica"  # of a replica that has begun
leaves_processes = pytest.mark.filterwarnings(  # a Ray that has ended does not wait for its own
    "ignore:subprocess [0-9]+ is still running:ResourceWarning"
)


@contextlib.contextmanager
def ray_engine(settings: ReplicaSettings, model: Path = EMBEDDED_FOLDER) -> Iterator[LocalEngine]:
    """The engine of a model folder, drawn by replicas."""
    limits = QueueLimits(running=settings.most, waiting=MAX_WAITING, per_client=MAX_WAITING)
    parts = pick_executor(), JobMetrics(), FairQueue(limits)
    with started_engines(ModelFolders(model), "fp32", *parts, settings) as engines:
        assert isinstance(engines[0], LocalEngine)
        yield engines[0]


def local_engine(model: Path = EMBEDDED_FOLDER) -> Engine:
    """The same model in this process."""
    parts = pick_executor(), JobMetrics(), FairQueue(QueueLimits())
    return make_engines(model, "fp32", *parts)[0]


def request_for(info: ModelInfo, seed: int, count: int = 1) -> DrawRequest:
    """Pictures of a seed, of anything."""
    return count_up(read_settings(info, {}, seed, {"precision": "fp32"}), count)


def digest(progress: JobProgress) -> str:
    """A hash of all frames and token maps."""
    found = hashlib.sha256()
    for frame in progress.frames:
        for image in frame:
            found.update(image.tobytes())
    for tokens in progress.token_maps:
        found.update(tokens.numpy().tobytes())
    return found.hexdigest()


def draw(engine: Engine, seed: int, client: str = "") -> str:
    """The hash of a picture."""
    *_, last = engine.generate(request_for(engine.info, seed), client)
    assert last.is_drawn
    return digest(last)


def replica_processes() -> list[psutil.Process]:
    """The processes of the replicas that this process has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            title = "".join(process.cmdline()[:1])  # none of one that has just begun, or ended
            if title.startswith(TITLE) and is_alive(process.pid):
                found.append(process)
    return found


def until_there_are(count: int) -> list[psutil.Process]:
    """Wait for so many replicas; their processes."""
    until(lambda: len(replica_processes()) >= count)
    return replica_processes()


def side_by_side(works: Sequence[Callable[[], None]]) -> list[BaseException]:
    """Do some work in threads of their own, and wait; what went wrong."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
