"""A checkpoint is whole or not there."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from tests.conftest import make_tokenizer
from training.loop.checkpoint import (
    complete_checkpoints,
    load_newest,
    load_run,
    save_model,
    save_run,
    step_generator,
)


def _save_small(folder: Path, step: int) -> None:
    value = torch.full((1000,), float(step))
    save_run(folder, step, {"weights": {"a": value}, "optimizer": {"b": value}}, {})


def _in_child(work: Callable[[], None]) -> int:
    """Run something in a forked process; returns its wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def test_a_run_killed_at_any_point_of_saving_keeps_a_whole_checkpoint(tmp_path: Path) -> None:
    """kill -9 at 20 operating-system calls spread over a save, as a real process sees it."""

    def save_and_die(folder: Path, at: int) -> None:
        calls = 0

        def hook(event: str, arguments: tuple) -> None:
            nonlocal calls
            calls += event.startswith(("open", "os.", "shutil."))
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        _save_small(folder, 3)
        (folder / "calls").write_text(str(calls))

    counted = tmp_path / "counted"
    for step in (1, 2):
        _save_small(counted, step)
    assert _in_child(lambda: save_and_die(counted, -1)) == 0
    calls = int((counted / "calls").read_text())
    points = {1 + round(index * (calls - 1) / 19) for index in range(20)}
    found = []
    for point in sorted(points):
        folder = tmp_path / f"killed-{point}"
        for step in (1, 2):
            _save_small(folder, step)
        status = _in_child(lambda folder=folder, point=point: save_and_die(folder, point))
        assert os.WTERMSIG(status) == signal.SIGKILL
        parts, meta = load_newest(folder)
        assert meta["step"] in (2, 3)
        assert parts["weights"]["a"].eq(meta["step"]).all()
        found.append(meta["step"])
        _save_small(folder, 3)
        _save_small(folder, 4)
        assert load_newest(folder)[1]["step"] == 4
    assert len(points) == 20
    assert set(found) == {2, 3}  # some before and some after the rename


def test_a_half_written_checkpoint_is_not_used(tmp_path: Path) -> None:
    for step in (1, 2):
        _save_small(tmp_path, step)
    (tmp_path / "step-00000002" / "weights.safetensors").write_bytes(b"half")
    (tmp_path / ".saving-step-00000003").mkdir()
    newest = complete_checkpoints(tmp_path)[-1]
    assert load_run(newest)[1]["step"] == 1


def test_a_checkpoint_with_a_flipped_bit_is_not_used(tmp_path: Path) -> None:
    for step in (1, 2):
        _save_small(tmp_path, step)
    path = tmp_path / "step-00000002" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load_newest(tmp_path)[1]["step"] == 1


def test_old_checkpoints_go_only_after_the_new_one_is_there(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        _save_small(tmp_path, step)
    names = [path.name for path in complete_checkpoints(tmp_path)]
    assert names == ["step-00000002", "step-00000003"]


def test_steps_are_seeded_apart() -> None:
    draws = {
        (seed, step, rank): torch.rand(1, generator=step_generator(seed, step, rank)).item()
        for seed in (0, 1)
        for step in (0, 1)
        for rank in (0, 1)
    }
    assert len(set(draws.values())) == 8
    assert draws[0, 1, 0] == torch.rand(1, generator=step_generator(0, 1, 0)).item()


def test_what_is_in_the_way_of_a_save_goes_but_nothing_that_links_lead_to(tmp_path: Path) -> None:
    precious, run = tmp_path / "precious", tmp_path / "run"
    precious.mkdir()
    (precious / "file").write_text("kept")
    run.mkdir()
    for name in (".saving-step-00000001", "step-00000001", ".saving-tokenizer", "tokenizer"):
        (run / name).symlink_to(precious)
    (run / ".saving-tokenizer-old").write_text("a file")
    _save_small(run, 1)
    save_model(make_tokenizer(), run / "tokenizer")
    assert load_newest(run)[1]["step"] == 1
    assert (run / "tokenizer" / "config.json").is_file() and not (run / "tokenizer").is_symlink()
    assert [path.name for path in precious.iterdir()] == ["file"]
    assert not list(run.glob(".saving-*"))


def test_copies_of_checkpoints_are_left_alone(tmp_path: Path) -> None:
    _save_small(tmp_path, 1)
    copies = [tmp_path / "step-00000001.bak", tmp_path / "step-00000000-good"]
    for copy in copies:
        shutil.copytree(tmp_path / "step-00000001", copy)
    for step in (2, 3, 4):
        _save_small(tmp_path, step)
    assert all(copy.is_dir() for copy in copies)
    assert [path.name[-1] for path in complete_checkpoints(tmp_path)] == ["3", "4"]
