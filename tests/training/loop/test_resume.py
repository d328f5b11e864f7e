"""Nothing is lost: runs that are stopped, killed or starved go on to the same weights."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.server import ROOT
from tests.training.tiny import (
    different,
    final_weights,
    run_tokenizer,
    run_transformer,
    tokenizer_arguments,
)
from training import train_tokenizer, train_transformer
from training.loop.checkpoint import (
    complete_checkpoints,
    load_newest,
    load_run,
    save_run,
    step_generator,
)
from training.loop.command import EXIT_LOCKED, EXIT_NOT_FINITE, EXIT_SAVE, StopFlag

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}  # sums of several threads round otherwise
EPOCHS_STEPS = 8  # two epochs of the 16 training pictures, four at a time
Command = Callable[[Path], int]


@contextmanager
def signal_at(run_type: type, step: int, number: int) -> Iterator[None]:
    """Let the process get a signal while it does a step."""
    original = run_type.train_step

    def signalled(self: object) -> dict:
        if self.step == step:
            os.kill(os.getpid(), number)
        return original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_type, "train_step", signalled)
        yield


@pytest.fixture
def commands(data: Path, tmp_path: Path) -> dict[str, tuple[type, Command]]:
    """Both trainers, as what they run and how to run all steps into a folder."""
    tokenizer = tmp_path / "made" / "tokenizer"
    run_tokenizer(data, tokenizer.parent, 2)
    return {
        "tokenizer": (
            train_tokenizer.TokenizerRun,
            lambda out: run_tokenizer(data, out, EPOCHS_STEPS, "--adversarial-weight", "0.5"),
        ),
        "transformer": (
            train_transformer.TransformerRun,
            lambda out: run_transformer(
                data, tokenizer, out, EPOCHS_STEPS, "--self-correction", "0.3"
            ),
        ),
    }


@pytest.mark.parametrize("name", ["tokenizer", "transformer"])
@pytest.mark.parametrize(
    "stops", [(1, 5), pytest.param(range(EPOCHS_STEPS), marks=pytest.mark.slow)]
)
def test_a_run_stopped_by_a_signal_goes_on_bit_for_bit(
    commands: dict, tmp_path: Path, name: str, stops: tuple[int, ...]
) -> None:
    run_type, command = commands[name]
    assert command(tmp_path / "whole") == 0
    expected = final_weights(tmp_path / "whole")
    for step in stops:
        out = tmp_path / f"cut-{step}"
        with signal_at(run_type, step, signal.SIGTERM):
            assert command(out) == 0
        assert load_newest(out)[1]["step"] == step + 1  # the step in progress was finished
        assert command(out) == 0
        assert different(final_weights(out), expected) == []


def test_a_second_signal_is_final() -> None:
    flag = StopFlag()
    before = signal.getsignal(signal.SIGTERM)
    try:
        flag.set(signal.SIGTERM, None)
        assert flag.is_set
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_finished_run_is_left_as_it_is_but_its_model_folder_is_made_anew(
    data: Path, tmp_path: Path
) -> None:
    run_tokenizer(data, tmp_path, 2)
    model = tmp_path / "tokenizer" / "diffusion_pytorch_model.safetensors"
    made = model.read_bytes()
    model.unlink()  # as if the process had died before the last file
    assert run_tokenizer(data, tmp_path, 2) == 0
    assert model.read_bytes() == made


def test_the_log_has_every_step_once_after_a_resume(data: Path, tmp_path: Path) -> None:
    run_tokenizer(data, tmp_path, 40, "--save-every", "10", "--evaluate-every", "20")
    for checkpoint in complete_checkpoints(tmp_path)[1:]:
        checkpoint.joinpath("meta.json").unlink()  # only step 30 is left
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["step-00000030"]
    run_tokenizer(data, tmp_path, 60, "--save-every", "10", "--evaluate-every", "20")
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").open()]
    assert steps == [20, 40, 60]


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


@pytest.mark.slow
def test_a_trainer_killed_while_saving_reaches_the_same_weights(data: Path, tmp_path: Path) -> None:
    """kill -9 at 20 points of real saves of a real process."""
    run_tokenizer(data, tmp_path / "whole", EPOCHS_STEPS)
    expected = final_weights(tmp_path / "whole")
    script = (
        "import os, sys\n"
        "from training import state, train_tokenizer\n"
        "at, calls, saving = int(sys.argv[1]), 0, False\n"
        "def hook(event, arguments):\n"
        "    global calls\n"
        "    if saving and event.startswith(('open', 'os.', 'shutil.')):\n"
        "        calls += 1\n"
        "        if calls == at: os.kill(os.getpid(), 9)\n"
        "sys.addaudithook(hook)\n"
        "import training.loop.run as run\n"
        "def watched(original):\n"
        "    def save(*arguments):\n"
        "        global saving\n"
        "        saving = True\n"
        "        try: return original(*arguments)\n"
        "        finally: saving = False\n"
        "    return save\n"
        "run.save_run, run.save_model = watched(run.save_run), watched(run.save_model)\n"
        "train_tokenizer.main(sys.argv[2:])\n"
    )
    for point in range(1, 121, 6):
        out = tmp_path / f"killed-{point}"
        arguments = tokenizer_arguments(data, out, EPOCHS_STEPS)
        command = [sys.executable, "-c", script, str(point), *arguments]
        killed = subprocess.run(command, cwd=ROOT, env=ONE_THREAD, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
        assert run_tokenizer(data, out, EPOCHS_STEPS) == 0
        assert different(final_weights(out), expected) == []


@pytest.mark.slow
def test_a_trainer_terminated_at_random_times_saves_and_reaches_the_same_weights(
    data: Path, tmp_path: Path
) -> None:
    steps = 60
    run_tokenizer(data, tmp_path / "whole", steps)
    expected = final_weights(tmp_path / "whole")
    waits = torch.rand(10, generator=step_generator(0, 0)).tolist()
    for number, wait in enumerate(waits):
        out = tmp_path / f"terminated-{number}"
        command = [sys.executable, "-m", "training.train_tokenizer"]
        with subprocess.Popen(
            [*command, *tokenizer_arguments(data, out, steps)],
            cwd=ROOT, env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            while not (out / "log.jsonl").exists():
                time.sleep(0.05)
            time.sleep(wait * 2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert load_newest(out) is not None
        assert run_tokenizer(data, out, steps) == 0
        assert different(final_weights(out), expected) == []


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
    original = train_tokenizer.TokenizerRun.batch

    def batch(self: object, generator: torch.Generator, size: int) -> torch.Tensor:
        images = original(self, generator, size)
        return images * float("nan") if self.step in steps else images

    monkeypatch.setattr(train_tokenizer.TokenizerRun, "batch", batch)


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


def test_steps_are_seeded_apart() -> None:
    draws = {
        (seed, step, rank): torch.rand(1, generator=step_generator(seed, step, rank)).item()
        for seed in (0, 1)
        for step in (0, 1)
        for rank in (0, 1)
    }
    assert len(set(draws.values())) == 8
    assert draws[0, 1, 0] == torch.rand(1, generator=step_generator(0, 1, 0)).item()
