"""Something that takes long shows that it lives."""

import logging
import sys

import pytest
from tqdm import tqdm

from tests.patience import until
from training.loop import heartbeat
from training.loop.heartbeat import Heartbeat, busy, counting


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "TICK", 0.01)
    monkeypatch.setattr(heartbeat, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(heartbeat, "SHORTEST_PAUSE", 0.05)


def test_lines_say_what_takes_long_where_there_is_no_terminal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO), busy("opening pictures"):
        until(lambda: caplog.text.count("opening pictures: 0 s so far") >= 2)
    count = caplog.text.count("so far")
    assert "so far" not in caplog.text[caplog.text.rindex("so far") + 6 :]
    assert caplog.text.count("so far") == count


def test_lines_say_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), tqdm(disable=True) as bar:
        beat = Heartbeat(bar)
        beat.start("encoding")
        beat.note("3 of 8 pictures")
        until(lambda: "encoding: 0 s so far (3 of 8 pictures)" in caplog.text)
        beat.close()


def test_a_bar_ticks_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = []
    with busy("compiling"):
        until(lambda: shown.append(capsys.readouterr().err) or "".join(shown).count("00:0") >= 3)
    assert "compiling: 00:00" in "".join(shown)


def test_lines_say_how_far_the_steps_are_where_there_is_no_terminal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO), tqdm(disable=True) as bar:
        beat = Heartbeat(bar, lambda: "step 3 of 8")
        until(lambda: caplog.text.count("step 3 of 8") >= 2)
        beat.start("saving")
        until(lambda: "saving: 0 s so far" in caplog.text)
        beat.close()


def test_lines_count_where_there_is_no_terminal(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), counting("drawing", 8, "picture") as reach:
        reach(3)
        until(lambda: "drawing: 3 of 8 pictures" in caplog.text)


def test_nothing_is_said_of_steps_which_the_bar_shows(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), tqdm(disable=True) as bar:
        beat = Heartbeat(bar)
        beat.start("evaluating")
        until(lambda: "evaluating" in caplog.text)
        beat.start("")
        caplog.clear()
        beat.close()
    assert "so far" not in caplog.text
