"""Many people at once: nobody gets another one's picture, nobody takes another one's place."""

import functools
import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.clients import API, Client, num_alive, served, serving
from tests.gated_engine import GatedEngine
from tests.patience import until
from var_core import Preview, VARPipeline, generators_from_seeds
from var_core.editing import RULES
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import count_up, edit, read_settings
from var_core.jobs.requests import DrawRequest
from var_core.serving.fair_queue import BusyError, LateError, QueueLimits

NUM_CLIENTS = 8
FAULTY = 2**31  # seeds from here on fail half way


@pytest.fixture
def engine(scenes: VARPipeline, monkeypatch: pytest.MonkeyPatch) -> GatedEngine:
    """Three drawings at once, four for each client; high seeds fail."""
    fail_on_high_seeds(scenes, monkeypatch)
    return GatedEngine(scenes, QueueLimits(running=3, per_client=4))


def fail_on_high_seeds(pipeline: VARPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let drawings whose seed is too high fail at their third scale."""
    stream = pipeline.stream

    def failing(*values: object, **named: object) -> Iterator[Preview]:
        lists = [value for value in (*values, *named.values()) if isinstance(value, list)]
        (seed,) = [v[0].initial_seed() for v in lists if v and isinstance(v[0], torch.Generator)]
        for preview in stream(*values, **named):
            if seed >= FAULTY and preview.number == 3:
                raise RuntimeError("injected")
            yield preview

    monkeypatch.setattr(pipeline, "stream", failing)


def misbehave(client: Client, seed: int, how: str) -> None:
    """Start a picture and drop the line, cancel it, or let it fail."""
    event = client.call("generate", {}, seed + (FAULTY if how == "fail" else 0), 1, None)
    stream = client.events("generate", event)
    kind, _ = next(stream)
    if how == "cancel":
        body = {"event_id": event, "session_hash": event, "fn_index": 0}
        client.ask("POST", f"{API}/cancel", json.dumps(body).encode())
    if how == "fail":
        *_, (kind, said) = stream
        assert kind == "error" and "Reference: " in said["error"] and "injected" not in str(said)
    stream.close()


def side_by_side(works: Sequence[Callable[[], None]]) -> list[threading.Thread]:
    """Threads that do some work, started."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.parametrize("num_seeds", [2, pytest.param(25, marks=pytest.mark.slow)])
def test_pictures_of_8_clients_are_those_drawn_one_after_the_other(
    engine: GatedEngine, tmp_path: Path, num_seeds: int
) -> None:
    found: list[tuple[int, str]] = []
    failures: list[BaseException] = []
    with served(engine, tmp_path) as url:
        alone = {seed: sha256(Client(url).draw(seed)) for seed in range(num_seeds)}

        def visit(number: int) -> None:
            client, dice = Client(url, 10 + number), random.Random(number)
            seeds = dice.sample(range(num_seeds), num_seeds)
            try:
                for index, seed in enumerate(seeds):
                    if index % 4 == 1:
                        misbehave(client, seed, ("cancel", "drop", "fail")[(number + index) % 3])
                    found.append((seed, sha256(client.draw(seed))))
            except BaseException as error:
                failures.append(error)
                raise

        with engine.gate.closed():
            threads = side_by_side([functools.partial(visit, n) for n in range(NUM_CLIENTS)])
            until(lambda: engine.queue.counts() == (3, NUM_CLIENTS - 3) or failures != [])
        for thread in threads:
            thread.join()
        assert failures == []
        assert until(lambda: engine.queue.counts() == (0, 0))
    assert len(set(alone.values())) == num_seeds
    assert len(found) == NUM_CLIENTS * num_seeds
    assert sum(alone[seed] == picture for seed, picture in found) == NUM_CLIENTS * num_seeds
    assert engine.most_waiting > 0


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_two_edits_at_once_are_those_made_one_after_the_other(
    scenes: VARPipeline, engine: GatedEngine, tmp_path: Path
) -> None:
    picture = png_url(scenes([{"thing": "owl"}], generator=generators_from_seeds([1])).images[0])
    mask = Image.new("L", (256, 256))
    mask.paste(255, (80, 80, 200, 200))
    calls = (
        ("edit", [picture, png_url(mask), {"thing": "apple"}, 3, 1, None, "closed_loop", 2]),
        ("outpaint", [picture, {}, 8, 0, 24, 0, 3, 1, None, "closed_loop", 1]),
    )

    def make(client: Client, name: str, data: list) -> str:
        *_, (kind, last) = client.events(name, client.call(name, *data))
        assert kind == "complete", last
        return sha256(last[0]["pictures"][0])

    with served(engine, tmp_path) as url:
        alone = [make(Client(url, 30), *call) for call in calls]
        together: dict[int, str] = {}

        def edit(number: int) -> None:
            together[number] = make(Client(url, 40 + number), *calls[number])

        with engine.gate.closed():
            threads = side_by_side([functools.partial(edit, number) for number in range(2)])
            until(lambda: engine.queue.counts() == (2, 0))
        for thread in threads:
            thread.join()
    assert [together[0], together[1]] == alone
    assert len(set(alone)) == 2


def test_a_flood_is_bounded_and_delays_nobody_else(scenes: VARPipeline, tmp_path: Path) -> None:
    engine, asked = GatedEngine(scenes, QueueLimits(per_client=3)), 40
    drawn: list[str] = []
    with served(engine, tmp_path) as url:
        flood, honest = Client(url, 5), Client(url, 6)
        alone = honest.draw(3)
        engine.steps.clear()
        with engine.gate.closed():
            events = [flood.call("generate", {}, 1000 + n, 8, None) for n in range(asked)]
            until(lambda: engine.num_jobs("busy") == asked - 3)
            assert engine.queue.counts() == (1, 2)
            (thread,) = side_by_side([lambda: drawn.append(honest.draw(3))])
            until(lambda: engine.queue.counts() == (1, 3))
        thread.join()
        assert until(lambda: engine.queue.counts() == (0, 0))
        ends = [list(flood.events("generate", event))[-1] for event in events]
    assert drawn == [alone]
    order = list(dict.fromkeys(seed for seed, _ in engine.steps))
    assert len(order) == 4 and order.index(3) == 1  # before all that waited
    refused = [said["error"] for kind, said in ends if kind == "error"]
    assert len(refused) == asked - 3
    assert all("3 of your drawings are under way already" in said for said in refused)


def test_work_stops_within_one_scale_when_its_client_goes(
    engine: GatedEngine, tmp_path: Path
) -> None:
    with serving(engine, tmp_path) as (url, blocks):
        for count, name in enumerate(("generate", "stream"), start=1):
            engine.steps.clear()
            client = Client(url, 7)
            with engine.gate.closed():
                stream = client.events(name, client.call(name, {}, 5, 1, None))
                engine.gate.let(1)
                next(stream)
                until(lambda: len(engine.steps) == 2)  # the second scale waits at the gate
                stream.close()
                until(lambda: num_alive(blocks) == 0)  # the server has seen it
                engine.gate.let(1)
                until(lambda: engine.num_jobs("cancelled") == count)  # noqa: B023
            until(lambda: engine.queue.counts() == (0, 0))
            assert engine.steps == [(5, 1), (5, 2), (5, 3)]  # the third one had begun
        assert Client(url).draw(5)


def test_clients_are_told_apart_behind_a_trusted_proxy(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = GatedEngine(pipeline, QueueLimits(per_client=1))
    with served(engine, tmp_path, num_proxies=1) as url:
        client = Client(url, 8)

        def draw(*forwarded: str) -> str:
            """Ask for a picture with so many lines of the header; its event."""
            body = json.dumps({"data": [{}, 1, 1, None, None, None]}).encode()
            connection = client.connect()
            connection.putrequest("POST", f"{API}/call/generate")
            connection.putheader("content-type", "application/json")
            connection.putheader("content-length", str(len(body)))
            for line in forwarded:
                connection.putheader("x-forwarded-for", line)
            connection.endheaders(body)
            text = connection.getresponse().read()
            connection.close()
            return json.loads(text)["event_id"]

        with engine.gate.closed():
            events = [draw("6.6.6.6, 1.1.1.1")]
            until(lambda: engine.queue.counts() == (1, 0))
            events += [draw("7.7.7.7", "1.1.1.1"), draw("1.1.1.1", "6.6.6.6, 2.2.2.2")]
            until(lambda: engine.queue.counts() == (1, 1) and engine.num_jobs("busy") == 1)
        ends = [list(client.events("generate", event))[-1][0] for event in events]
    assert ends == ["complete", "error", "complete"]


def test_without_a_trusted_proxy_nobody_can_make_up_an_address(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = GatedEngine(pipeline, QueueLimits(per_client=1))
    with served(engine, tmp_path) as url, engine.gate.closed():
        for number in (1, 2):
            body = json.dumps({"data": [{}, 1, 1, None, None, None]}).encode()
            headers = {"x-forwarded-for": f"6.6.6.{number}"}
            Client(url).ask("POST", f"{API}/call/generate", body, **headers)
        assert until(lambda: engine.queue.counts() == (1, 0) and engine.num_jobs("busy") == 1)


@pytest.fixture
def request_(pipeline: VARPipeline) -> DrawRequest:
    return count_up(read_settings(pipeline.info, {"emoji": "cat"}, 1, None), 1)


def test_a_closed_iterator_frees_its_place(pipeline: VARPipeline, request_: DrawRequest) -> None:
    engine = GatedEngine(pipeline)
    with engine.gate.closed():
        engine.gate.let(1)
        running, waiting = engine.generate(request_), engine.generate(request_)
        assert len(next(running).frames) == 1
        assert next(waiting).ahead == 1 and next(waiting).frames == ()
        running.close()
    assert [len(run.frames) for run in waiting if not run.ahead] == [1, 2, 3, 4]
    assert engine.queue.counts() == (0, 0)


def test_a_job_that_gets_no_thread_frees_its_place(
    pipeline: VARPipeline, request_: DrawRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = GatedEngine(pipeline)
    with monkeypatch.context() as full:

        def fail(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        full.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start"):
            next(engine.generate(request_))
    assert engine.queue.counts() == (0, 0)
    assert [run.number for run in engine.generate(request_)] == [1, 2, 3, 4]


def test_a_slow_reader_holds_nobody_up(pipeline: VARPipeline, request_: DrawRequest) -> None:
    engine = GatedEngine(pipeline)
    slow = engine.generate(request_, "slow")
    first = next(slow)
    assert until(lambda: engine.queue.counts() == (0, 0))  # drawn to the end, and given up its turn
    assert engine.num_jobs("ok") == 0
    assert [run.number for run in engine.generate(request_, "quick")] == [1, 2, 3, 4]
    assert [first.number, *(run.number for run in slow)] == [1, 2, 3, 4]
    assert engine.num_jobs("ok") == 2


def test_what_is_drawn_counts_though_its_reader_goes_early(
    pipeline: VARPipeline, request_: DrawRequest
) -> None:
    engine = GatedEngine(pipeline)
    reader = engine.generate(request_)
    next(reader)
    assert until(lambda: engine.queue.counts() == (0, 0))
    reader.close()
    assert (engine.num_jobs("ok"), engine.num_jobs("cancelled")) == (1, 0)


def test_a_slow_job_is_ended_between_scales(pipeline: VARPipeline, request_: DrawRequest) -> None:
    now, scales = 0.0, []
    engine = GatedEngine(pipeline, QueueLimits(seconds=0.15), lambda: now)
    with pytest.raises(LateError, match=r"may take 0\.15 seconds"), engine.gate.closed():
        engine.gate.let(1)
        for run in engine.generate(request_):
            scales.append(run.number)
            now += 0.1
            engine.gate.let(1)
    assert scales == [1, 2] and until(lambda: engine.queue.counts() == (0, 0))


@pytest.mark.parametrize("end", ["late", "left"])
def test_an_edit_is_ended_between_its_candidates(pipeline: VARPipeline, end: str) -> None:
    now, mask = 0.0, np.eye(32, dtype=bool)
    engine = GatedEngine(pipeline, QueueLimits(seconds=1), lambda: now)
    settings = read_settings(engine.info, {}, 1, None)
    request = edit(settings, Image.new("RGB", (32, 32)), mask, 1, RULES[0], 8)
    with engine.gate.closed():
        engine.gate.let(1)
        steps = engine.generate(request)
        assert next(steps).number == 0
        until(lambda: len(engine.steps) == 2)  # after the second candidate
        now = 2.0 if end == "late" else 0.0
        steps.close() if end == "left" else None
        engine.gate.let(1)
        assert until(engine.is_idle)
    assert engine.steps == [(1, 0)] * 2
    assert engine.num_jobs("cancelled", "edit") == (end == "left")
    if end == "late":
        with pytest.raises(LateError):
            next(steps)


def test_an_abandoned_job_does_not_block_the_engine(
    pipeline: VARPipeline, request_: DrawRequest
) -> None:
    now = 0.0
    engine = GatedEngine(pipeline, QueueLimits(seconds=0.2), lambda: now)
    abandoned, found = engine.generate(request_), []
    with engine.gate.closed():
        engine.gate.let(1)
        next(abandoned)
        until(lambda: len(engine.steps) == 2)  # its second scale waits at the gate
        now = 0.3
        (other,) = side_by_side([lambda: found.extend(engine.generate(request_, "another"))])
        assert until(lambda: len(engine.steps) == 3)
    other.join()
    assert found[-1].frames
    with pytest.raises(LateError):
        next(abandoned)


def test_every_end_of_a_job_is_counted_once(
    pipeline: VARPipeline, request_: DrawRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on_high_seeds(pipeline, monkeypatch)
    engine = GatedEngine(pipeline, QueueLimits(per_client=1))
    list(engine.generate(request_))
    with engine.gate.closed():
        engine.gate.let(1)
        stopped = engine.generate(request_)
        next(stopped)
        with pytest.raises(BusyError):
            next(engine.generate(request_))
        stopped.close()
    until(lambda: engine.queue.counts() == (0, 0))
    faulty = count_up(read_settings(pipeline.info, {}, FAULTY, None), 1)
    with pytest.raises(RuntimeError):
        list(engine.generate(faulty))
    assert [engine.num_jobs(how) for how in ("ok", "busy", "cancelled", "error")] == [1, 1, 1, 1]
    assert engine.metrics.registry.get_sample_value("var_studio_pictures_total") == 1
