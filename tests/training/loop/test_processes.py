"""Two processes train as one, and none of them is left alone."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from accelerate import Accelerator

from tests.patience import LIMIT_SECONDS, until
from tests.server import ROOT
from tests.training.tiny import (
    different,
    final_weights,
    run_tokenizer,
    run_transformer,
    tokenizer_arguments,
    transformer_arguments,
)
from training.loop.command_line import parse_settings
from training.loop.processes import check_launcher, dealt, gathered
from training.loop.train_command import EXIT_LOCKED
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch"]
ACCELERATE += ["--config_file", "training/recipes/nodes.yaml", "--num_machines", "1"]
ACCELERATE += ["--num_processes", "2", "--main_process_port", "0", "--mixed_precision", "no"]
LAUNCHERS = {"tokenizer": TORCHRUN, "transformer": ACCELERATE}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def test_two_processes_stop_and_go_on_bit_for_bit(data: Path, tmp_path: Path) -> None:
    """Stopped at every step of two epochs; NaN in one is skipped by both; shards are as whole."""
    command = [*TORCHRUN, "-m", "tests.training.loop.two_processes", data, tmp_path]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "tokenizer: 4/4 equal" in done.stdout
    assert "transformer: 4/4 equal" in done.stdout
    evaluated = re.search(r"evaluation: same True, gap (\S+)", done.stdout)
    assert evaluated and float(evaluated[1]) < 1e-4
    two = [float(one) for one in re.search(r"frechet: (\S+) (\S+)", done.stdout).groups()]
    assert two == pytest.approx(drawn_distances(data, tmp_path), rel=1e-3)
    assert "poison: skipped 1, same True, finite True" in done.stdout
    gap, kept, same = re.search(r"shards: gap (\S+), kept (\S+), same (\S+)", done.stdout).groups()
    assert same == "True"
    written = {path.name for path in (tmp_path / "shards/sharded/step-00000004").iterdir()}
    parts = [f"shard-0000{p}-model-0000{n}-of-00003.safetensors" for p in (1, 2) for n in (1, 2, 3)]
    assert written == {*parts, "meta.json"}  # weights, average, optimizer of each process
    assert float(gap) < 1e-5
    assert 0.45 < float(kept) < 0.55


def drawn_distances(data: Path, out: Path) -> list[float]:
    """How far drawings and pictures are from pictures, as one process finds."""
    measured = ["--frechet-drawings", "8", "--nets", str(out / "nets")]
    arguments = transformer_arguments(data, out / "tokenizer/whole/tokenizer", out / "alone", 4)
    run = TransformerRun(parse_settings(TransformerSettings, [*arguments, *measured], ""))
    figures, _ = run.evaluate()
    return [figures["frechet"], figures["frechet_of_real"]]


EVERY_CHANCE = {
    "tokenizer": "--adversarial-weight 0.5 --adversarial-after 0.3 --adversary-channels 16 "
    "--latent-noise 0.2 --scale-dropout 0.3 --augmentation white",
    "transformer": "--self-correction 0.3 --drop-path 0.2 --drop-all 0.2 --plain-view-share 0.3",
}


@pytest.mark.parametrize("name", ["tokenizer", "transformer"])
def test_two_processes_learn_what_one_learns_from_twice_the_batch(
    data: Path, tmp_path: Path, name: str
) -> None:
    """With all that is random: crops, noise, dropped scales and labels, wrong codes, restarts.

    One trainer is started by torchrun, the other by Accelerate with the configuration for nodes.
    """
    steps, more = 6, EVERY_CHANCE[name].split()
    two, one = tmp_path / "two", tmp_path / "one"
    if name == "tokenizer":
        arguments = tokenizer_arguments(data, two, steps)
    else:
        run_tokenizer(data, tmp_path / "made", 4)
        tokenizer = tmp_path / "made" / "tokenizer"
        arguments = transformer_arguments(data, tokenizer, two, steps)
    command = [*LAUNCHERS[name], "-m", f"training.train_{name}", *arguments, *more]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert done.returncode == 0, done.stderr[-3000:]
    whole = ("--batch-size", "8", "--accumulate", "2", *more)
    if name == "tokenizer":
        assert run_tokenizer(data, one, steps, *whole) == 0
    else:
        assert run_transformer(data, tokenizer, one, steps, *whole) == 0
    ours, theirs = final_weights(two), final_weights(one)
    assert ours.keys() == theirs.keys()
    for part, expected in theirs.items():
        torch.testing.assert_close(ours[part], expected, rtol=1e-5, atol=1e-5, msg=part)


@pytest.mark.parametrize(
    ("variable", "value", "instead"),
    [
        ("ACCELERATE_USE_FSDP", "true", "--shard"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "--shard"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "--compile"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "--accumulate"),
    ],
)
def test_what_a_launcher_asks_for_in_vain_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, instead: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable}={value} is not taken: {instead}"):
        check_launcher()


def test_what_a_launcher_always_sets_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("ACCELERATE_DYNAMO_BACKEND", "NO"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1"),
        ("ACCELERATE_USE_FSDP", "false"),
    ):
        monkeypatch.setenv(name, value)
    check_launcher()


@pytest.mark.parametrize("count", [1, 5, 8])
def test_numbers_are_dealt_once(count: int) -> None:
    accelerator = Accelerator(cpu=True)
    parts = [gathered(accelerator, numbers) for numbers in dealt(accelerator, count, 3)]
    assert [number for part in parts for number in part.tolist()] == list(range(count))


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_a_new_launch_reaches_the_same_weights(
    data: Path, tmp_path: Path
) -> None:
    def command(out: Path) -> list[str]:
        return [*TORCHRUN, "-m", "training.train_tokenizer", *tokenizer_arguments(data, out, 200)]

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command(whole), cwd=ROOT, env=ENVIRONMENT, check=True)
    with subprocess.Popen(command(cut), cwd=ROOT, env=ENVIRONMENT) as launcher:
        until(lambda: list(cut.glob("step-*")) or launcher.poll() is not None)
        ranks = psutil.Process(launcher.pid).children()
        os.kill(ranks[-1].pid, signal.SIGKILL)
        assert launcher.wait(LIMIT_SECONDS) != 0
        assert not [rank for rank in ranks if rank.is_running()]
    subprocess.run(command(cut), cwd=ROOT, env=ENVIRONMENT, check=True)
    assert different(final_weights(cut), final_weights(whole)) == []


@pytest.mark.slow
def test_a_terminated_job_saves_and_a_second_job_in_its_folder_is_refused(
    data: Path, tmp_path: Path
) -> None:
    arguments = tokenizer_arguments(data, tmp_path / "run", 10_000)
    command = [*TORCHRUN, "-m", "training.train_tokenizer", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT) as launcher:
        until(lambda: list((tmp_path / "run").glob("step-*")) or launcher.poll() is not None)
        second = [sys.executable, "-m", "training.train_tokenizer", *arguments]
        refused = subprocess.run(second, cwd=ROOT, capture_output=True, check=False)
        assert refused.returncode == EXIT_LOCKED
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(LIMIT_SECONDS)
    assert final_weights(tmp_path / "run")
