"""What a run tells of its speed, its end and its configuration."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from tests.training.tiny import run_tokenizer
from training.loop import speed
from training.loop.train_log import LOG_FILE, TrainLog, forget_after


class FakeRun:
    """Two pictures a step of a set of eight; nothing is trained."""

    settings = SimpleNamespace(steps=100)
    total_steps, total_batch, num_train = 100, 2, 8
    step = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accelerator = Accelerator(cpu=True)

    @property
    def pictures_seen(self) -> int:
        return self.step * self.total_batch

    def resolved(self) -> dict:
        return {"settings": {"steps": 100}}

    def count_flops(self) -> int:
        return 0

    def plan(self) -> list[str]:
        return ["a plan"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(speed, "monotonic", lambda: clock.now)
    return clock


def test_the_rate_is_that_of_the_last_steps_alone(tmp_path: Path, clock: SimpleNamespace) -> None:
    """The first step compiles, evaluations are no steps: neither makes a step look slower."""
    run = FakeRun(tmp_path)
    with TrainLog(run) as log:
        for count, seconds in ((1, 90.0), (60, 2.0), (39, 1.0)):
            for _ in range(count):
                run.step += 1
                clock.now += seconds
                log.tick()
            log.write({"step": run.step, "loss": torch.tensor(0.5)})
            with log.doing("evaluating"):
                clock.now += 100.0
    lines = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert [line["seconds_per_step"] for line in lines] == [90.0, 2.0, (11 * 2 + 39) / 50]
    assert [line["epoch"] for line in lines] == [0.25, 15.25, 25.0]
    assert [line["pictures"] for line in lines] == [2, 122, 200]
    assert lines[1]["seconds_left"] == round(39 * (2.0 + 100 / 61))
    assert lines[2]["seconds_left"] == 0 and lines[2]["loss"] == 0.5
    assert all(line["peak_memory_gib"] > 0 for line in lines)


def test_the_used_part_of_a_known_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(speed, "monotonic", lambda: clock.now)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    found = speed.Speed()
    for _ in range(3):
        clock.now += 0.5
        found.tick()
    assert found.used(int(989e12 / 4), torch.device("cuda")) == {"mfu": 0.5}
    assert found.used(1000, torch.device("cpu")) == {}


def test_the_configuration_is_kept_from_the_start(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert run_tokenizer(data, tmp_path, 2, "--base-rate", "0.064", "--learning-rate", "0") == 0
    kept = json.loads((tmp_path / "settings.json").read_text())
    assert kept["settings"]["steps"] == 2
    assert kept["resolved"]["augmentation"] == "crop"  # which "auto" came to
    assert kept["resolved"]["highest_rate"] == 0.001
    assert kept["resolved"]["precision"] == "no"
    assert "torch" in kept["versions"]
    assert "16 training pictures, 4 a step: 2 steps are 0.5 epochs" in caplog.text
    assert "highest learning rate 0.001, 0.064 for each 256 pictures" in caplog.text


def test_figures_and_sheets_reach_the_tracker(data: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert run_tokenizer(data, tmp_path / "run", 4) == 0
    (folder,) = (tmp_path / "run" / "tensorboard").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    tags = events.Tags()
    assert {"loss", "validation_psnr", "codes_used_per_scale/0"} <= set(tags["scalars"])
    assert tags["images"]
    assert run_tokenizer(data, tmp_path / "none", 4, "--tracker", "none") == 0
    assert not (tmp_path / "none" / "tensorboard").exists()


def test_a_tracker_that_is_not_installed_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run_tokenizer(data, tmp_path, 4, "--tracker", "wandb") == 2
    assert "wandb is not installed: pip install wandb" in capsys.readouterr().err


def test_sheets_are_as_large_as_their_captions_need(data: Path, tmp_path: Path) -> None:
    from PIL import Image

    assert run_tokenizer(data, tmp_path, 4) == 0
    sheet = np.asarray(Image.open(tmp_path / "sheet-000004.png"))
    assert sheet.shape == (4 * 66, 108 + 2 * 64, 3)
    assert (sheet[:66, :108] < 128).any()  # a title


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
    forget_after(path, 20)
    assert path.read_bytes() == whole


def test_a_log_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOG_FILE)
    (tmp_path / "link").symlink_to("/dev/full")  # an endless file
    for path in (tmp_path / LOG_FILE, tmp_path / "link"):
        with pytest.raises(OSError, match="it is no regular file"):
            forget_after(path, 20)
