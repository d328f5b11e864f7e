"""What a replica does, without Ray: the same pictures, errors as values, an end within a scale."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch

from tests.gated_engine import Gate
from tests.patience import until
from tests.replicas import digest
from var_core import VARPipeline
from var_core.jobs.inside import inside_drawing
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.serving.executors import DrawingThreads, jobs_at_once
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.installed_engines import ModelFolders, make_engines
from var_core.serving.metrics import JobMetrics
from var_core.serving.progress_parts import lengthen
from var_core.serving.ray_replica import HangsError, Replica


@pytest.fixture
def folder(pipeline: VARPipeline, tmp_path: Path) -> Path:
    pipeline.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def request_(pipeline: VARPipeline) -> DrawRequest:
    return count_up(read_settings(pipeline.info, {"emoji": "cat"}, 1, None), 1)


async def drawn(replica: Replica, request: DrawRequest) -> list[JobProgress | Exception]:
    """All that a replica sends, put together."""
    found, before = [], JobProgress(request)
    async for parts in replica.draw("tiny", request):
        for part in parts:
            if isinstance(part, Exception):
                found.append(part)
            else:
                found.append(before := lengthen(part, before))
    return found


def fails(replica: Replica, error: Exception) -> None:
    """Let a replica fail after its first scale."""
    worker = replica._workers["tiny"]
    draw = worker.draw

    def failing(request: DrawRequest) -> Generator[JobProgress, None, None]:
        with contextlib.closing(draw(request)) as steps:
            yield next(steps)
            raise error

    worker.draw = failing


def test_a_replica_draws_what_the_local_engine_draws(folder: Path, request_: DrawRequest) -> None:
    parts = DrawingThreads(), JobMetrics(), FairQueue(QueueLimits())
    local, *_ = make_engines(folder, "fp32", *parts)
    expected = list(local.generate(request_))
    replica = Replica(ModelFolders(folder), "fp32")
    found = asyncio.run(drawn(replica, request_))
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert all(map(torch.equal, found[-1].token_maps, expected[-1].token_maps))
    assert digest(found[-1]) == digest(expected[-1])
    question = inside_drawing(found[-1], 0)
    answers = asyncio.run(replica.ask("tiny", "answer", question)), local.answer(question)
    assert answers[0].wish == answers[1].wish
    assert replica.about() == local.device.type


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_its_tokenizers_have_as_many_threads_as_those_of_its_server(
    folder: Path, cores: int
) -> None:
    executor = DrawingThreads(jobs_at_once(cores), num_cores=cores)
    engines = make_engines(folder, "fp32", executor, JobMetrics(), FairQueue(QueueLimits()))
    replica = Replica(ModelFolders(folder), "fp32", num_cores=cores)
    pipelines = engines[0].pipeline("auto"), replica._workers["tiny"].pipeline("auto")
    theirs, ours = (one.tokenizer.num_threads for one in pipelines)
    assert ours == theirs == {1: None, 2: 1, 8: 2}[cores]


def test_closing_it_ends_it_within_a_scale(folder: Path, request_: DrawRequest) -> None:
    replica, gate, steps = Replica(ModelFolders(folder), "fp32"), Gate(), []
    worker = replica._workers["tiny"]
    draw = worker.draw

    def gated(request: DrawRequest) -> Generator[JobProgress, None, None]:
        try:
            for progress in draw(request):
                steps.append(progress.number)
                gate.wait()
                yield progress
        finally:
            steps.append(0)

    worker.draw = gated

    async def leave() -> None:
        parts = replica.draw("tiny", request_)
        assert len(await anext(parts)) == 1
        await asyncio.to_thread(until, lambda: steps == [1, 2])  # the second waits at the gate
        left = asyncio.ensure_future(parts.aclose())
        await asyncio.sleep(0)
        gate.let(1)
        await left

    with gate.closed():
        gate.let(1)
        asyncio.run(leave())
        assert steps == [1, 2, 0]


@pytest.mark.parametrize("error", [ValueError("too large"), torch.OutOfMemoryError("of a GPU")])
def test_an_error_of_a_job_comes_as_a_value(
    folder: Path, request_: DrawRequest, error: Exception
) -> None:
    ended: list[int] = []
    replica = Replica(ModelFolders(folder), "fp32", end=lambda: ended.append(1))
    fails(replica, error)
    first, last = asyncio.run(drawn(replica, request_))
    assert first.number == 1 and last is error
    assert ended == []
    assert isinstance(asyncio.run(replica.ask("tiny", "draw")), TypeError)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_replica_without_memory_ends_itself(
    folder: Path, request_: DrawRequest, error: Exception
) -> None:
    ended: list[int] = []
    replica = Replica(ModelFolders(folder), "fp32", end=lambda: ended.append(1))
    fails(replica, error)
    asyncio.run(drawn(replica, request_))
    assert ended == [1]


def test_a_replica_that_hangs_is_not_healthy(folder: Path, request_: DrawRequest) -> None:
    now, gate = 0.0, Gate()
    replica = Replica(ModelFolders(folder), "fp32", seconds=5.0, clock=lambda: now)
    worker = replica._workers["tiny"]
    draw = worker.draw

    def slow(request: DrawRequest) -> Generator[JobProgress, None, None]:
        gate.wait()
        yield from draw(request)

    worker.draw = slow

    async def hang(check: Callable[[], None]) -> None:
        task = asyncio.ensure_future(drawn(replica, request_))
        await asyncio.to_thread(until, lambda: replica._since is not None)
        check()
        gate.let(1)
        assert len(await task) == 4

    def check() -> None:
        nonlocal now
        replica.check_health()
        now = 6.0
        with pytest.raises(HangsError, match="more than 5 seconds"):
            replica.check_health()

    with gate.closed():
        asyncio.run(hang(check))
    replica.check_health()
