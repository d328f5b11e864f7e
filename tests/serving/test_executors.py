"""All drawing of a process happens in one thread, whoever asks."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import Client, served
from var_core import VARPipeline
from var_core.jobs.inside import exchange, inside_drawing
from var_core.jobs.parsing import count_up, read_settings
from var_core.serving.executors import DrawingThread
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine


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
    one, other = DrawingThread(), threading.get_ident()
    seen: list[tuple[str, int]] = []

    def count(name: str) -> Iterator[str]:
        try:
            for number in range(3):
                seen.append((name, threading.get_ident()))
                yield f"{name}{number}"
        finally:
            seen.append((f"{name} ends", threading.get_ident()))

    first, second = one.iterate(count("a")), one.iterate(count("b"))
    assert [next(first), next(second), next(first)] == ["a0", "b0", "a1"]
    first.close()
    assert list(second) == ["b1", "b2"]
    assert [name for name, _ in seen] == ["a", "b", "a", "a ends", "b", "b", "b ends"]
    assert len({ident for _, ident in seen}) == 1 and other not in {i for _, i in seen}


def test_errors_come_back_and_nothing_waits_for_itself() -> None:
    one = DrawingThread()

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
