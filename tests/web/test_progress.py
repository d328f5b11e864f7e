"""A drawing as the page shows it, scale by scale."""

import time

import pytest
from PIL import Image

from tests.patience import until
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress
from var_core.serving.local_engine import LocalEngine
from var_core.web.progress import Moment, Plan, paced, preview_of, stream


@pytest.fixture
def steps(engine: LocalEngine) -> list[JobProgress]:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    return list(engine.generate(request))


def test_a_pause_never_holds_the_engine_back(engine: LocalEngine) -> None:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    moments = stream(engine, Plan(request, 60.0, lambda progress, seconds: Moment()), "")
    assert next(moments).scale == 1  # the first preview does not wait
    assert until(lambda: engine.queue.counts() == (0, 0))  # while the second one waits
    assert list(engine.generate(request))[-1].is_drawn
    moments.close()


def test_scales_are_shown_at_least_a_pause_apart(
    steps: list[JobProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert [progress.number for progress in paced(iter(steps), 60.0)] == [1, 2, 3, 4]
    assert slept[0] == 0 and all(30 < seconds <= 60 for seconds in slept[1:])


def test_the_place_in_the_queue_is_shown_at_once(
    steps: list[JobProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    waiting = [JobProgress(steps[0].request, ahead=2), JobProgress(steps[0].request, ahead=1)]
    found = paced(iter([*waiting, *steps]), 60.0)
    assert [next(found).ahead for _ in range(3)] == [2, 1, 0]
    assert slept == [0.0]


def test_the_time_of_a_drawing_is_that_of_the_engine(engine: LocalEngine) -> None:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    started = time.monotonic()
    seconds = [progress.seconds for progress in engine.generate(request)]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert seconds[-1] <= time.monotonic() - started


@pytest.mark.parametrize("size", [(64, 64), (1500, 400)])
def test_previews_are_of_a_size_that_is_quickly_sent(size: tuple[int, int]) -> None:
    shown = preview_of(Image.new("RGB", size)).size
    assert shown == {64: (256, 256), 1500: (1024, 273)}[size[0]]


def test_a_finished_drawing_keeps_what_its_tab_says_of_it(engine: LocalEngine) -> None:
    request = count_up(read_settings(engine.info, {}, 7, None), 1)
    plan = Plan(request, 0.0, lambda progress, _: Moment(status=f"{progress.number}"))
    moments = list(stream(engine, plan, ""))
    assert [moment.scale for moment in moments] == [1, 2, 3, None]
    assert moments[-1].status == "4" and moments[-1].strip.count("<img") == 4
