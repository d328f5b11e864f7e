"""Nothing is lost: runs that are stopped or killed resume to the same weights."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from tests.patience import LIMIT_SECONDS, until
from tests.server import ROOT
from tests.training.tiny import (
    different,
    final_weights,
    run_tokenizer,
    run_transformer,
    tokenizer_arguments,
)
from training.loop.checkpoint import (
    complete_checkpoints,
    load_newest,
    step_generator,
)
from training.loop.run import Run
from training.tokenizer.run import TokenizerRun
from training.transformer.run import TransformerRun

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}  # sums of several threads round otherwise


EPOCHS_STEPS = 8  # two epochs of the 16 training pictures, four at a time
Command = Callable[[Path], int]


@contextmanager
def signal_at(run_type: type, step: int, number: int) -> Iterator[None]:
    """Let the process get a signal while it does a step."""
    original = run_type.train_step

    def signalled(self: Run, *data: object) -> dict:
        if self.step == step:
            os.kill(os.getpid(), number)
        return original(self, *data)

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
            TokenizerRun,
            lambda out: run_tokenizer(data, out, EPOCHS_STEPS, "--adversarial-weight", "0.5"),
        ),
        "transformer": (
            TransformerRun,
            lambda out: run_transformer(
                data, tokenizer, out, EPOCHS_STEPS, "--self-correction", "0.3"
            ),
        ),
        "muon": (
            TransformerRun,
            lambda out: run_transformer(data, tokenizer, out, EPOCHS_STEPS, "--optimizer", "muon"),
        ),
    }


@pytest.mark.parametrize("name", ["tokenizer", "transformer", "muon"])
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
        code = 128 + signal.SIGTERM if step + 1 < EPOCHS_STEPS else 0
        with signal_at(run_type, step, signal.SIGTERM):
            assert command(out) == code  # so that no script takes it for finished
        assert load_newest(out)[1]["step"] == step + 1  # the step in progress was finished
        assert command(out) == 0
        assert different(final_weights(out), expected) == []


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
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [20, 40, 60]


@pytest.mark.slow
def test_a_trainer_killed_while_saving_reaches_the_same_weights(data: Path, tmp_path: Path) -> None:
    """kill -9 at 20 points of real saves of a real process."""
    run_tokenizer(data, tmp_path / "whole", EPOCHS_STEPS)
    expected = final_weights(tmp_path / "whole")
    script = (
        "import os, sys\n"
        "from training import train_tokenizer\n"
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
            until((out / "log.jsonl").exists)
            time.sleep(wait * 2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_SECONDS) in (0, 128 + signal.SIGTERM)
        assert load_newest(out) is not None
        assert run_tokenizer(data, out, steps) == 0
        assert different(final_weights(out), expected) == []
