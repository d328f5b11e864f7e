"""A drawing as the page shows it, scale by scale."""

import time
from collections.abc import Iterator

import pytest

from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress
from var_core.serving.local_engine import LocalEngine
from var_core.web.progress import Moment, Plan, paced, stream


@pytest.fixture
def steps(engine: LocalEngine) -> list[JobProgress]:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    return list(engine.generate(request))


def test_a_pause_never_holds_the_engine_back(
    steps: list[JobProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    def drawing() -> Iterator[JobProgress]:
        for progress in steps:
            asked.append(progress.number)
            yield progress

    shown = paced(drawing(), 60.0)
    first, _ = next(shown)
    assert (first.number, asked) == (1, [1])  # the first preview does not wait
    second, _ = next(shown)
    assert (second.number, asked) == (2, [1, 2, 3, 4])  # by now the engine is free again
    assert [progress.number for progress, _ in shown] == [3, 4]
    assert len(slept) == 3 and all(seconds > 30 for seconds in slept)


def test_without_a_pause_every_run_is_shown_at_once(steps: list[JobProgress]) -> None:
    asked: list[int] = []

    def drawing() -> Iterator[JobProgress]:
        for progress in steps:
            asked.append(progress.number)
            yield progress

    for progress, _ in paced(drawing(), 0.0):
        assert asked[-1] == progress.number


def test_the_place_in_the_queue_is_shown_at_once_and_its_time_not_counted(
    steps: list[JobProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    waiting = [JobProgress(steps[0].request, ahead=2), JobProgress(steps[0].request, ahead=1)]
    found = list(paced(iter([*waiting, *steps]), 0.0))
    assert [progress.ahead for progress, _ in found] == [2, 1, 0, 0, 0, 0]
    assert found[2][1] == 100.0  # one tick after the last word about the queue


def test_an_abandoned_drawing_leaves_the_engine(engine: LocalEngine) -> None:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    moments = stream(engine, Plan(request, 60.0, lambda progress, seconds: Moment()), "")
    assert next(moments).scale == 1
    assert engine.queue.counts() == (1, 0)
    moments.close()
    assert engine.queue.counts() == (0, 0)


def test_a_finished_drawing_keeps_what_its_tab_says_of_it(engine: LocalEngine) -> None:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    plan = Plan(request, 0.0, lambda progress, _: Moment(status=f"{progress.number}"))
    moments = list(stream(engine, plan, ""))
    assert [moment.scale for moment in moments] == [1, 2, 3, None]
    assert moments[-1].status == "4" and moments[-1].strip.count("<img") == 4
