"""Many people at once: nobody gets another one's picture, nobody takes another one's place."""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.clients import API, Client, served
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.serving.engine import LocalEngine
from var_core.serving.fair_queue import BusyError, LateError, Limits, Turns

NUM_CLIENTS, NUM_SEEDS = 8, 25
FAULTY = 2**31  # seeds from here on fail half way


class WatchedEngine(LocalEngine):
    """An engine that remembers when it did what, and fails where it is told to."""

    def __init__(self, pipeline: VARPipeline, limits: Limits, seconds: float = 0.0) -> None:
        self.steps: list[tuple[int, int]] = []  # (seed, number of scales) in the order drawn
        self.most_waiting = 0
        self.seconds = seconds
        super().__init__(pipeline.info, lambda dtype: pipeline, Turns(limits))

    def _draw_here(self, request: DrawRequest) -> Iterator[JobProgress]:
        for run in super()._draw_here(request):
            self.steps.append((request.seeds[0], len(run.frames)))
            self.most_waiting = max(self.most_waiting, self.turns.counts()[1])
            if request.seeds[0] >= FAULTY and len(run.frames) == 3:
                raise RuntimeError("injected")
            time.sleep(self.seconds)
            yield run


def until(what: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


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


def test_200_pictures_of_8_clients_are_those_drawn_one_after_the_other(
    embedded: VARPipeline, tmp_path: Path
) -> None:
    engine = WatchedEngine(embedded, Limits(running=3, per_client=4))
    found: list[tuple[int, str]] = []
    failures: list[BaseException] = []
    with served(engine, tmp_path) as url:
        alone = {seed: sha256(Client(url).draw(seed)) for seed in range(NUM_SEEDS)}

        def visit(number: int) -> None:
            client, dice = Client(url, 10 + number), random.Random(number)
            seeds = dice.sample(range(NUM_SEEDS), NUM_SEEDS)
            try:
                for index, seed in enumerate(seeds):
                    if index % 4 == 0:
                        misbehave(client, seed, dice.choice(["cancel", "drop", "fail"]))
                    found.append((seed, sha256(client.draw(seed))))
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=visit, args=(n,)) for n in range(NUM_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert until(lambda: engine.turns.counts() == (0, 0))
    assert len(set(alone.values())) == NUM_SEEDS
    assert len(found) == NUM_CLIENTS * NUM_SEEDS
    assert sum(alone[seed] == picture for seed, picture in found) == NUM_CLIENTS * NUM_SEEDS
    assert engine.most_waiting > 0


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_two_edits_at_once_are_those_made_one_after_the_other(
    embedded: VARPipeline, tmp_path: Path
) -> None:
    picture = png_url(embedded([{"emoji": "owl"}], generator=generators_from_seeds([1])).images[0])
    mask = Image.new("L", (64, 64))
    mask.paste(255, (20, 20, 50, 50))
    calls = (
        ("edit", [picture, png_url(mask), {"emoji": "red apple"}, 3, 1, None, "closed_loop", 2]),
        ("outpaint", [picture, {}, 8, 0, 24, 0, 3, 1, None, "closed_loop", 1]),
    )

    def make(client: Client, name: str, data: list) -> str:
        *_, (kind, last) = client.events(name, client.call(name, *data))
        assert kind == "complete", last
        return sha256(last[0]["pictures"][0])

    engine = WatchedEngine(embedded, Limits(running=2))
    with served(engine, tmp_path) as url:
        alone = [make(Client(url, 30), *call) for call in calls]
        together: dict[int, str] = {}
        threads = [
            threading.Thread(
                target=lambda n=number: together.update({n: make(Client(url, 40 + n), *calls[n])})
            )
            for number in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [together[0], together[1]] == alone
    assert len(set(alone)) == 2


def test_a_flood_is_bounded_and_delays_nobody_else(embedded: VARPipeline, tmp_path: Path) -> None:
    limits = Limits(per_client=3)
    engine = WatchedEngine(embedded, limits, seconds=0.02)
    with served(engine, tmp_path) as url:
        flood, honest = Client(url, 5), Client(url, 6)
        alone = honest.draw(3)
        engine.steps.clear()
        events = [flood.call("generate", {}, seed, 8, None) for seed in range(1000, 1200)]
        assert honest.draw(3) == alone
        order = list(dict.fromkeys(seed for seed, _ in engine.steps))
        assert until(lambda: engine.turns.counts() == (0, 0), 60)
        ends = [list(flood.events("generate", event))[-1] for event in events[:60]]
        refused = [said["error"] for kind, said in ends if kind == "error"]
        drawn = {seed for seed, _ in engine.steps}
    assert order.index(3) <= 2  # after what was drawn when it came, before all that waited
    assert engine.most_waiting <= limits.per_client
    assert len(refused) >= 40
    assert all("3 of your drawings are under way already" in said for said in refused)
    assert len(drawn) <= 20  # of 200; the others were refused at once


def test_work_stops_within_one_scale_when_its_client_goes(
    embedded: VARPipeline, tmp_path: Path
) -> None:
    engine = WatchedEngine(embedded, Limits(), seconds=0.7)
    with served(engine, tmp_path) as url:
        for name in ("generate", "stream"):
            engine.steps.clear()
            client = Client(url, 7)
            stream = client.events(name, client.call(name, {}, 5, 1, None))
            next(stream)
            seen = len(engine.steps)
            stream.close()
            assert until(lambda: engine.turns.counts() == (0, 0), 3)
            assert len(engine.steps) <= seen + 1
        assert Client(url).draw(5)


def test_clients_are_told_apart_behind_a_trusted_proxy(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = WatchedEngine(pipeline, Limits(per_client=1), seconds=0.3)
    with served(engine, tmp_path, num_proxies=1) as url:
        client = Client(url, 8)

        def draw(forwarded: str) -> str:
            body = json.dumps({"data": [{}, 1, 1, None]}).encode()
            headers = {"x-forwarded-for": forwarded}
            _, text = client.ask("POST", f"{API}/call/generate", body, **headers)
            return json.loads(text)["event_id"]

        events = [draw("6.6.6.6, 1.1.1.1"), draw("7.7.7.7, 1.1.1.1"), draw("6.6.6.6, 2.2.2.2")]
        ends = [list(client.events("generate", event))[-1][0] for event in events]
    assert ends == ["complete", "error", "complete"]


@pytest.fixture
def request_(pipeline: VARPipeline) -> DrawRequest:
    return count_up(read_settings(pipeline.info, {"emoji": "cat"}, 1, None), 1)


def test_a_closed_iterator_frees_its_place(pipeline: VARPipeline, request_: DrawRequest) -> None:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    running, waiting = engine.generate(request_), engine.generate(request_)
    assert len(next(running).frames) == 1
    assert next(waiting).ahead == 1 and next(waiting).frames == ()
    running.close()
    assert [len(run.frames) for run in waiting] == [1, 2, 3, 4]
    assert engine.turns.counts() == (0, 0)


def test_a_slow_job_is_ended_between_scales(pipeline: VARPipeline, request_: DrawRequest) -> None:
    engine = WatchedEngine(pipeline, Limits(seconds=0.15), seconds=0.1)
    with pytest.raises(LateError, match=r"may take 0\.15 seconds"):
        list(engine.generate(request_))
    assert len(engine.steps) == 2 and engine.turns.counts() == (0, 0)


def test_an_abandoned_job_does_not_block_the_engine(
    pipeline: VARPipeline, request_: DrawRequest
) -> None:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline, Turns(Limits(seconds=0.2)))
    abandoned = engine.generate(request_)
    next(abandoned)
    assert list(engine.generate(request_, "another"))[-1].frames
    with pytest.raises(LateError):
        next(abandoned)


def test_every_end_of_a_job_is_counted_once(pipeline: VARPipeline, request_: DrawRequest) -> None:
    engine = WatchedEngine(pipeline, Limits(per_client=1))

    def count(outcome: str) -> float:
        labels = {"job": "draw", "outcome": outcome}
        return engine.journal.registry.get_sample_value("var_studio_jobs_total", labels) or 0

    list(engine.generate(request_))
    stopped = engine.generate(request_)
    next(stopped)
    with pytest.raises(BusyError):
        next(engine.generate(request_))
    stopped.close()
    faulty = count_up(read_settings(pipeline.info, {}, FAULTY, None), 1)
    with pytest.raises(RuntimeError):
        list(engine.generate(faulty))
    assert {outcome: count(outcome) for outcome in ("ok", "busy", "cancelled", "error")} == {
        "ok": 1,
        "busy": 1,
        "cancelled": 1,
        "error": 1,
    }
    assert engine.journal.registry.get_sample_value("var_studio_pictures_total") == 1
