"""A drawing as the page shows it, scale by scale."""

import time

import pytest
from PIL import Image

from var_core.jobs.parsing import count_up, read_settings
from var_core.serving.local_engine import LocalEngine
from var_core.web.progress import Moment, Plan, preview_of, stream


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
    plan = Plan(request, lambda progress, _: Moment(status=f"{progress.number}"))
    moments = list(stream(engine, plan, ""))
    assert [moment.picture is None for moment in moments] == [False, False, False, True]
    assert moments[-1].status == "4" and moments[-1].strip.count("<img") == 4
