"""All drawing of a process happens in a few threads, whoever asks."""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.clients import Client, served
from tests.conftest import EMBEDDED_MODEL
from tests.patience import LIMIT_SECONDS, until
from var_core import VARPipeline
from var_core.jobs.inside import exchange, inside_drawing
from var_core.jobs.parsing import count_up, read_settings
from var_core.serving.executors import DrawingThreads
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.installed_engines import make_engines
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics


def test_a_server_draws_decodes_and_encodes_in_one_thread(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    used: set[int] = set()
    parts = pipeline.transformer.head, pipeline.tokenizer.decoder, pipeline.tokenizer.encoder
    for part in parts:
        part.register_forward_pre_hook(lambda *_: used.add(threading.get_ident()))
    engine = LocalEngine(
        pipeline.info, lambda dtype: pipeline, queue=FairQueue(QueueLimits(running=3))
    )
    with served(engine, tmp_path) as url:
        pictures: dict[int, str] = {}
        threads = [
            threading.Thread(target=lambda n=n: pictures.update({n: Client(url, 50 + n).draw(n)}))
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(pictures.values())) == 3 and len(used) == 1
    *_, run = engine.generate(count_up(read_settings(pipeline.info, {}, 1, None), 1))
    engine.tokenize(lambda: run.frames[-1][0])
    inside = engine.answer(inside_drawing(run, 0))
    engine.answer(exchange(engine.info, inside.reconstruction.token_maps, 2, 0, 1, [3]))
    assert len(used) == 1 and threading.get_ident() not in used


def test_steps_take_turns_and_end_where_they_ran() -> None:
    """Two drawings whose first steps lie before each other's take every second turn."""
    one, other = DrawingThreads(), threading.get_ident()
    seen: list[tuple[str, int]] = []
    has_begun, is_open = threading.Event(), threading.Event()

    def block() -> bool:
        has_begun.set()
        return is_open.wait()

    def count(name: str) -> Iterator[str]:
        try:
            for number in range(3):
                seen.append((name, threading.get_ident()))
                yield f"{name}{number}"
        finally:
            seen.append((f"{name} ends", threading.get_ident()))

    steps = one.iterate(count("a")), one.iterate(count("b"))
    with ThreadPoolExecutor() as readers:
        blocker = readers.submit(one.run, block)
        assert has_begun.wait(LIMIT_SECONDS)
        read = [readers.submit(list, each) for each in steps]
        until(lambda: one._threads[0].num_waiting == 2)
        is_open.set()
        assert sorted(future.result() for future in read) == [
            ["a0", "a1", "a2"],
            ["b0", "b1", "b2"],
        ]
        assert blocker.result()
    names = [name for name, _ in seen if "ends" not in name]
    assert names in (["a", "b"] * 3, ["b", "a"] * 3)
    assert len({ident for _, ident in seen}) == 1 and other not in {ident for _, ident in seen}


def test_jobs_run_at_once_with_a_core_each_and_one_alone_has_all() -> None:
    threads = DrawingThreads(2, num_cores=2)
    met = threading.Barrier(2, timeout=LIMIT_SECONDS)
    before = torch.get_num_threads()

    def steps(meets: bool) -> Iterator[tuple[int, int]]:
        for _ in range(2):
            if meets:
                met.wait()
            yield threading.get_ident(), torch.get_num_threads()

    alone = list(threads.iterate(steps(False)))
    assert [cores for _, cores in alone] == [2, 2]
    with ThreadPoolExecutor() as readers:
        pair = [readers.submit(list, threads.iterate(steps(True))) for _ in range(2)]
        (*_, first), (*_, second) = (job.result() for job in pair)
    assert first[0] != second[0] and [first[1], second[1]] == [1, 1]
    assert torch.get_num_threads() == before  # that of all other threads
    assert threads.run(torch.get_num_threads) == 2


def test_a_tokenizer_has_the_same_number_of_threads_whoever_else_draws() -> None:
    assert DrawingThreads(4, num_cores=8).tokenizer_threads(1_000_000) == 2
    assert DrawingThreads(4, num_cores=8).tokenizer_threads(100_000_000) == 8
    assert DrawingThreads(1, num_cores=8).tokenizer_threads(1_000_000) is None


def test_a_picture_is_the_same_alone_and_beside_another() -> None:
    """In bfloat16, whose kernels would round otherwise with the cores that others leave."""
    threads = DrawingThreads(2, num_cores=2)
    queue = FairQueue(QueueLimits(running=2, seconds=math.inf))
    engine = make_engines(EMBEDDED_MODEL, "bf16", threads, JobMetrics(), queue)[0]
    engine.prepare()

    def draw(seed: int) -> bytes:
        *_, last = engine.generate(count_up(read_settings(engine.info, {}, seed, None), 1))
        return last.frames[-1][0].tobytes()

    alone = [draw(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as visitors:
        assert list(visitors.map(draw, range(3))) == alone


def test_a_drawing_that_is_left_ends_with_the_step_in_progress() -> None:
    """It goes ahead of its reader, but not on without one."""
    one, begun, may_end = DrawingThreads(), threading.Semaphore(0), threading.Semaphore(0)
    ended: list[str] = []

    def steps() -> Iterator[int]:
        try:
            for number in range(100):
                begun.release()
                may_end.acquire()
                yield number
        finally:
            ended.append("closed")

    drawing = one.iterate(steps())
    may_end.release(2)
    assert next(drawing) == 0
    for _ in range(3):  # two steps are done, the third is in progress
        assert begun.acquire(timeout=LIMIT_SECONDS)
    threading.Timer(0.05, may_end.release).start()
    drawing.close()
    assert ended == ["closed"] and not begun.acquire(blocking=False)
    assert one.run(lambda: "free") == "free"


def test_errors_come_back_and_nothing_waits_for_itself() -> None:
    one = DrawingThreads()

    def fails() -> Iterator[int]:
        yield 1
        raise ValueError("injected")

    steps = one.iterate(fails())
    assert next(steps) == 1
    with pytest.raises(ValueError, match="injected"):
        next(steps)
    assert list(steps) == []
    outer, inner = one.run(lambda: (threading.get_ident(), one.run(threading.get_ident)))
    assert outer == inner
