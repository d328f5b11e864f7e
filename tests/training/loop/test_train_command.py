"""What a trainer does where it cannot go on: exit codes and messages."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.training.tiny import (
    different,
    final_weights,
    run_tokenizer,
)
from training.loop.checkpoint import (
    complete_checkpoints,
    load_newest,
)
from training.loop.picture_random import PictureRandom
from training.loop.train_command import EXIT_LOCKED, EXIT_NOT_FINITE, EXIT_SAVE
from training.tokenizer.run import TokenizerRun


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let the kernel refuse to make a file longer than some bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("limit", "save_every", "message"),
    [
        (100_000, "1", "cannot be saved"),
        (100_000, "100", "cannot be saved"),
        (2_000, "100", "cannot be written"),
    ],
    ids=["checkpoint", "last checkpoint", "log"],
)
def test_a_disk_that_takes_no_more_keeps_the_old_checkpoint(
    data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture,
    limit: int,
    save_every: str,
    message: str,
) -> None:
    run_tokenizer(data, tmp_path, 2)
    model = (tmp_path / "tokenizer" / "diffusion_pytorch_model.safetensors").read_bytes()
    before = final_weights(tmp_path)
    with small_files(limit):
        assert run_tokenizer(data, tmp_path, 4, "--save-every", save_every) == EXIT_SAVE
    assert "error: " in (told := capfd.readouterr().err)
    assert message in told
    assert different(final_weights(tmp_path), before) == []
    after = (tmp_path / "tokenizer" / "diffusion_pytorch_model.safetensors").read_bytes()
    assert after == model
    assert not list(tmp_path.glob(".saving-*"))
    assert run_tokenizer(data, tmp_path, 4) == 0


def test_a_second_run_in_the_same_folder_is_refused(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    with FileLock(tmp_path / ".lock"):
        assert run_tokenizer(data, tmp_path, 2) == EXIT_LOCKED
    assert "another run" in capfd.readouterr().err
    assert complete_checkpoints(tmp_path) == []
    assert run_tokenizer(data, tmp_path, 2) == 0


def poison(monkeypatch: pytest.MonkeyPatch, steps: range) -> None:
    """Give the tokenizer pictures of NaN in some steps."""
    original = TokenizerRun.next_batch

    def next_batch(self: object, random: PictureRandom) -> torch.Tensor:
        images = original(self, random)
        return images * float("nan") if self.step in steps else images

    monkeypatch.setattr(TokenizerRun, "next_batch", next_batch)


def test_a_step_without_finite_gradient_is_left_out_and_counted(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, range(3, 5))
    assert run_tokenizer(data, tmp_path, 6) == 0
    assert load_newest(tmp_path)[1]["skipped"] == 2
    assert all(value.isfinite().all() for value in final_weights(tmp_path).values())
    record = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert record["skipped"] == 2


def test_a_run_that_does_not_recover_stops_with_the_last_good_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    poison(monkeypatch, range(5, 100))
    assert run_tokenizer(data, tmp_path, 40, "--save-every", "5") == EXIT_NOT_FINITE
    assert "11 steps in a row" in capfd.readouterr().err
    parts, meta = load_newest(tmp_path)
    assert meta["step"] in (5, 10, 15)
    assert all(value.isfinite().all() for value in parts["weights"].values())


def test_another_number_of_processes_is_refused(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    run_tokenizer(data, tmp_path, 2)
    path = complete_checkpoints(tmp_path)[-1] / "meta.json"
    path.write_text(path.read_text().replace('"processes": 1', '"processes": 2'))
    assert run_tokenizer(data, tmp_path, 4) == 2
    assert "trained by 2 processes" in capfd.readouterr().err


def test_a_run_of_another_network_is_refused(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    run_tokenizer(data, tmp_path, 2)
    assert run_tokenizer(data, tmp_path, 4, "--vocab-size", "32") == 2
    assert "another tokenizer" in capfd.readouterr().err


def test_other_processes_are_refused_with_a_way_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    run_tokenizer(data, tmp_path, 2)
    (checkpoint,) = complete_checkpoints(tmp_path)
    meta = json.loads((checkpoint / "meta.json").read_text())
    (checkpoint / "meta.json").write_text(json.dumps({**meta, "processes": 2}))
    assert run_tokenizer(data, tmp_path, 4) == 2
    said = capsys.readouterr().err
    assert "trained by 2 processes, not by 1" in said
    assert "--continue-with-other-processes" in said
    assert run_tokenizer(data, tmp_path, 4, "--continue-with-other-processes") == 0
    assert "from here on sums round otherwise" in caplog.text
    assert load_newest(tmp_path)[1]["step"] == 4


def test_a_run_that_ends_before_codes_are_used_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run_tokenizer(data, tmp_path, 4, "--quantize-after", "4") == 2
    said = capsys.readouterr().err
    assert "with 4 steps no code would be learned" in said and "--quantize-after" in said
    assert run_tokenizer(data, tmp_path, 4, "--quantize-after", "3") == 0


def test_the_first_steps_give_an_estimate_of_the_time(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert run_tokenizer(data, tmp_path, 4) == 0
    texts = [one.message for one in caplog.records if "so far" not in one.message]
    waiting = next(index for index, text in enumerate(texts) if "the first step takes" in text)
    assert texts[waiting + 1].startswith("the first step took ")
    assert any("a step takes" in text and " left" in text for text in texts[waiting:])


def test_a_memory_that_is_too_small_is_said(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(TokenizerRun, "next_batch", fail)
    assert run_tokenizer(data, tmp_path, 2) == 2
    assert "the memory is too small: choose a smaller --batch-size" in capfd.readouterr().err
