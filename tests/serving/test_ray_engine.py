"""The engine on replicas: what it does when they end. Most tests stand in for Ray's network."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

import ray
import torch
import yaml
from PIL import Image
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.exceptions import BackPressureError, RequestCancelledError
from ray.serve.schema import ServeDeploySchema

import app
from tests.patience import LIMIT_SECONDS, until
from tests.server import ROOT, free_port
from var_core import VARPipeline
from var_core.editing import RULES, Margins
from var_core.jobs.parsing import count_up, outpaint, read_settings
from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.requests import DrawRequest
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving import ray_cluster, ray_engine
from var_core.serving.fair_queue import BusyError, FairQueue, LateError, QueueLimits
from var_core.serving.metrics import JobMetrics
from var_core.serving.progress_parts import shorten
from var_core.serving.ray_engine import TRIES, RayEngine, ReplicaWorker, Watch

SERVE_YAML = ROOT / "var_core" / "serving" / "cluster" / "serve.yaml"


class Handle:
    """Stands in for Ray's handle: draws here, and fails as it is told.

    Args:
        pipeline: model of the replicas.
        ends: for each drawing, after how many scales its replica ends, and the error.
    """

    def __init__(self, pipeline: VARPipeline, ends: list[tuple[int, Exception]]) -> None:
        self.pipeline, self.ends = pipeline, ends
        self.asked = self.cancelled = 0
        self.cancel: Callable[[], None] = lambda: None

    def options(self, method_name: str, stream: bool = False) -> SimpleNamespace:
        return SimpleNamespace(remote=self.draw if stream else self.ask)

    def draw(self, model: str, request: Request) -> "Steps":
        self.asked += 1
        return Steps(self, self.parts(request, *(self.ends.pop(0) if self.ends else (9, None))))

    def parts(self, request: Request, most: int, error: Exception | None) -> Iterator[list]:
        before = JobProgress(request)
        for progress in request.start(self.pipeline):
            if progress.number > most:
                raise error
            yield [shorten(progress, before)]
            before = progress

    def ask(self, model: str, method: str, *given: object) -> SimpleNamespace:
        def result(timeout_s: float) -> object:
            self.asked += 1
            if self.ends:
                raise self.ends.pop(0)[1]
            return ValueError("no picture") if method == "tokenize" else method

        return SimpleNamespace(result=result)


class Steps:
    """Stands in for the answer to a drawing."""

    def __init__(self, handle: Handle, parts: Iterator[list]) -> None:
        self.handle, self.parts = handle, parts

    def __iter__(self) -> Iterator[list]:
        return self.parts

    def cancel(self) -> None:
        self.handle.cancelled += 1
        self.handle.cancel()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "PAUSE_SECONDS", 0)


@pytest.fixture
def request_(pipeline: VARPipeline) -> DrawRequest:
    return count_up(read_settings(pipeline.info, {"emoji": "cat"}, 1, None), 1)


def engine_on(handle: Handle, metrics: JobMetrics) -> RayEngine:
    worker = ReplicaWorker(handle, "tiny", QueueLimits())
    parts = Watch(lambda: True), FairQueue(QueueLimits()), metrics, torch.device("cpu")
    return RayEngine(handle.pipeline.info, lambda dtype: handle.pipeline, worker, *parts)


def outcomes(metrics: JobMetrics) -> dict[str, float]:
    """How many drawings ended in each way."""
    samples = [one for family in metrics.registry.collect() for one in family.samples]
    return {
        one.labels["outcome"]: one.value
        for one in samples
        if one.name == "var_studio_jobs_total" and one.labels["job"] == "draw"
    }


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_job_whose_replica_ends_is_drawn_again_and_counted_once(
    pipeline: VARPipeline, request_: DrawRequest, after: int
) -> None:
    ends = [(after, ActorDiedError()), (2, ActorUnavailableError("", b"0" * 16))]
    handle, metrics = Handle(pipeline, ends), JobMetrics()
    found = list(engine_on(handle, metrics).generate(request_))
    assert [one.number for one in found] == [1, 2, 3, 4]  # nothing is shown twice
    (*_, expected) = request_.start(pipeline)
    assert all(map(torch.equal, found[-1].token_maps, expected.token_maps))
    assert found[-1].request is request_
    assert handle.asked == 3 and outcomes(metrics) == {"ok": 1.0}


@pytest.mark.parametrize("after", [0, 6])
def test_whoever_edits_hears_of_every_candidate(pipeline: VARPipeline, after: int) -> None:
    settings = read_settings(pipeline.info, {}, 1, None)
    image, sides = Image.new("RGB", (32, 32)), Margins(right=20)
    request = outpaint(settings, image, sides, 1, RULES[0], 2)
    expected = [one.number for one in request.start(pipeline)]
    assert expected == [0, 0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8]
    handle = Handle(pipeline, [(after, ActorDiedError())])
    found = list(ReplicaWorker(handle, "tiny", QueueLimits()).draw(request))
    assert handle.asked == 2 and all(one.frames for one in found)
    numbers = [one.number for one in found]
    assert numbers == sorted(numbers) and {*numbers} == {*expected}  # it never goes back
    assert len(numbers) > len(expected)  # the candidates that are drawn again are heard of too


def test_a_job_that_ends_every_replica_is_given_up(
    pipeline: VARPipeline, request_: DrawRequest
) -> None:
    handle, metrics = Handle(pipeline, [(1, ActorDiedError())] * 9), JobMetrics()
    engine = engine_on(handle, metrics)
    with pytest.raises(BusyError, match="have failed several times"):
        list(engine.generate(request_))
    assert handle.asked == TRIES and outcomes(metrics) == {"busy": 1.0}
    assert engine.is_idle()


def test_no_room_is_said_at_once(pipeline: VARPipeline, request_: DrawRequest) -> None:
    error = BackPressureError(num_queued_requests=1, max_queued_requests=1)
    handle = Handle(pipeline, [(0, error)])
    with pytest.raises(BusyError, match="too many others"):
        list(engine_on(handle, JobMetrics()).generate(request_))
    assert handle.asked == 1


def test_whoever_leaves_cancels_the_work_of_the_replica(
    pipeline: VARPipeline, request_: DrawRequest
) -> None:
    handle = Handle(pipeline, [])
    steps = ReplicaWorker(handle, "tiny", QueueLimits()).draw(request_)
    next(steps)
    steps.close()
    assert (handle.asked, handle.cancelled) == (1, 1)


def test_a_job_that_no_replica_goes_on_with_is_ended(
    pipeline: VARPipeline, request_: DrawRequest
) -> None:
    handle = Handle(pipeline, [])
    cancelled = threading.Event()

    def hangs(model: str, request: Request) -> Iterator[list]:
        cancelled.wait()
        raise RequestCancelledError("1")
        yield []

    handle.draw = lambda model, request: Steps(handle, hangs(model, request))
    handle.cancel = cancelled.set
    worker = ReplicaWorker(handle, "tiny", QueueLimits(seconds=0.05))
    with pytest.raises(LateError, match=r"may take 0\.05 seconds"):
        list(worker.draw(request_))


def test_questions_are_asked_again_and_errors_of_jobs_are_not(pipeline: VARPipeline) -> None:
    handle = Handle(pipeline, [(0, ActorDiedError())])
    worker = ReplicaWorker(handle, "tiny", QueueLimits())
    worker.prepare()
    assert handle.asked == 2
    with pytest.raises(ValueError, match="no picture"):
        worker.tokenize(None)
    assert handle.asked == 3


def test_the_engine_is_ready_while_the_replicas_are(
    pipeline: VARPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "WATCH_SECONDS", 0.01)
    now, asked, let = [0.0], threading.Semaphore(0), threading.Semaphore(0)
    answers: list[bool | Exception] = []

    def look() -> bool:
        asked.release()
        let.acquire()
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return answers[-1]

    def answer(what: bool | Exception) -> None:
        answers.append(what)
        let.release()

    with Watch(look, lambda: now[0]) as watch:
        engine = engine_on(Handle(pipeline, []), JobMetrics())
        engine._watch = watch
        assert engine.is_ready()
        for bad in (False, ActorDiedError()):
            asked.acquire()
            answer(bad)
            assert until(lambda: not engine.is_ready())
            asked.acquire()
            answer(True)
            assert until(engine.is_ready)
        asked.acquire()  # and gets no answer any more
        now[0] = 11.0
        assert not engine.is_ready()
        answer(True)
        assert until(engine.is_ready)
        engine.queue.close()
        assert not engine.is_ready()
    answer(True)


def test_serve_takes_its_file_and_finds_the_application() -> None:
    described = ServeDeploySchema.model_validate(yaml.safe_load(SERVE_YAML.read_text()))
    (one,) = described.applications
    assert (one.name, one.route_prefix) == (ray_cluster.APP, None)
    assert one.import_path == f"{ray_cluster.build.__module__}:{ray_cluster.build.__name__}"
    application = ray_cluster.build(one.args)
    deployment = application._bound_deployment
    folders, precision, *_ = deployment.init_args
    assert (folders.first, precision) == (EMBEDDED_FOLDER, "auto")
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (0, 4)
    with pytest.raises(ValueError, match="unknown arguments: modle"):
        ray_cluster.build({"modle": "x"})


def test_a_cluster_that_does_not_answer_is_one_sentence(capsys: pytest.CaptureFixture) -> None:
    for address in (f"127.0.0.1:{free_port()}", "nowhere", "10.0.0.1:99999999"):
        assert app.main(["--engine", "ray", "--address", address]) == 2
        said = capsys.readouterr().err
        assert said == f"error: no Ray answers at '{address}': see --address\n"


def test_more_replicas_than_memory_are_refused(capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--engine", "ray", "--replicas", "1000"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: 1000 replicas need ") and "ask for fewer" in said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("Version mismatch: ..."), "has another version of Ray or Python"),
        (RuntimeError("This node has an IP address of"), "is this machine a part of it?"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def refuse(*words: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ValueError, match=f"the cluster at 'auto' .*{told[:20]}"):
        ray_cluster._join("auto")


@pytest.mark.parametrize("num_late", [1, ray_cluster.START_TRIES])
def test_a_ray_that_starts_too_slowly_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, num_late: int
) -> None:
    left: list[subprocess.Popen] = []

    def start(*_: object, **__: object) -> None:
        if len(left) < num_late:
            left.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]))
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # where it leaves words for Ray
    if num_late == ray_cluster.START_TRIES:
        with pytest.raises(ValueError, match="tried 4 times: this machine is too busy"):
            ray_cluster._start(1, tmp_path)
    else:
        ray_cluster._start(1, tmp_path)
    assert len(left) == num_late
    assert all(one.wait(LIMIT_SECONDS) == -signal.SIGKILL for one in left)
