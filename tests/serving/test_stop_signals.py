"""A signal to end leads to the same end as Ctrl-C, and a second one is not waited for."""

import os
import signal
import threading

import pytest

import app
from tests.gated_engine import GatedEngine
from var_core import VARPipeline
from var_core.jobs.parsing import count_up, read_settings
from var_core.serving.fair_queue import BusyError
from var_core.serving.stop_signals import (
    DRAIN_SECONDS,
    VARIABLE,
    drain_seconds,
    ending_at_signals,
    wait_for_signal,
    wait_until,
)


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


def test_the_time_to_finish_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert drain_seconds() == DRAIN_SECONDS
    drained: list[float] = []
    for told, seconds in (("80", 80.0), ("0", 0.0)):
        monkeypatch.setenv(VARIABLE, told)
        assert drain_seconds() == seconds
    monkeypatch.setattr(threading.Event, "wait", _interrupted)
    wait_for_signal(drained.append, 80.0)
    assert drained == [80.0]


def _interrupted(event: threading.Event) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("told", ["", "soon", "-1", "inf", "nan", "3601"])
def test_a_variable_without_a_time_is_one_sentence(
    told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, told)
    assert app.main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {VARIABLE} must be a number from 0 to 3600, got ")
    assert len(said.splitlines()) == 1
