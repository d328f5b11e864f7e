import json
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
