"""A signal to end leads to the same end as Ctrl-C, and a second one is not waited for."""

import os
import signal

import pytest

from tests.gated_engine import GatedEngine
from var_core import VARPipeline
from var_core.jobs.parsing import count_up, read_settings
from var_core.serving.fair_queue import BusyError
from var_core.serving.stop_signals import ending_at_signals, wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cleans_up_on_its_way(number: signal.Signals) -> None:
    outer, cleaned = signal.signal(number, signal.SIG_DFL), []  # nohup ignores one of them
    try:
        with pytest.raises(SystemExit) as ended, ending_at_signals():
            try:
                os.kill(os.getpid(), number)
            finally:
                cleaned.append(True)
        assert ended.value.code == 0 and cleaned
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, outer)


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_at_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_engine_that_ends_finishes_what_it_has_and_takes_nothing_new(
    pipeline: VARPipeline,
) -> None:
    engine = GatedEngine(pipeline)
    request = count_up(read_settings(engine.info, {}, 1, None), 1)
    with engine.gate.closed():
        engine.gate.let(1)
        running = engine.generate(request)
        next(running)
        engine.queue.close()
        assert not engine.is_ready()
        with pytest.raises(BusyError, match="about to end: try again"):
            next(engine.generate(request))
    assert list(running)[-1].is_drawn
    wait_until(lambda: engine.queue.counts() == (0, 0), 60)
