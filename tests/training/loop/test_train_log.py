import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from training.loop import train_log
from training.loop.train_log import LOG_FILE, TrainLog


def test_seconds_per_step_are_those_of_the_steps_since_the_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(train_log, "time", SimpleNamespace(monotonic=lambda: clock.now))
    settings = SimpleNamespace(batch_size=2, steps=100)
    accelerator = SimpleNamespace(num_processes=1)
    run = SimpleNamespace(
        folder=tmp_path, settings=settings, accelerator=accelerator, step=0, total_steps=100
    )
    with TrainLog(run) as log:
        for steps, seconds in ((1, 90.0), (4, 8.0), (10, 5.0)):  # the first one compiles
            run.step += steps
            clock.now += seconds
            log.write({"step": run.step})
    lines = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert [line["seconds_per_step"] for line in lines] == [90.0, 2.0, 0.5]


def test_a_resumed_run_keeps_the_whole_lines_of_its_log(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    whole = b'{"step": 20}\n'
    damaged = (
        b"words\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b'{"a": 1}\n',
        b'{"step": "x"}\n',
        b"[" * 99_999,
    )
    path.write_bytes(whole + b"\n".join(damaged) + b'\n{"step": 40}\n{"step": 2')
    train_log.forget_after(path, 20)
    assert path.read_bytes() == whole


def test_a_log_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOG_FILE)
    (tmp_path / "link").symlink_to("/dev/full")  # an endless file
    for path in (tmp_path / LOG_FILE, tmp_path / "link"):
        with pytest.raises(OSError, match="it is no regular file"):
            train_log.forget_after(path, 20)
