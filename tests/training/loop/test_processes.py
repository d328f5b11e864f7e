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
from tests.training.loop import killed_shards, two_processes
from tests.training.tiny import (
    different,
    final_weights,
    run_tokenizer,
    tokenizer_arguments,
    transformer_arguments,
    write_pictures,
)
from training.loop.command_line import parse_settings
from training.loop.processes import check_launcher, dealt, gathered
from training.loop.train_command import EXIT_LOCKED
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch"]
ACCELERATE += ["--config_file", "training/loop/nodes.yaml", "--num_machines", "1"]
ACCELERATE += ["--num_processes", "2", "--main_process_port", "0", "--mixed_precision", "no"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(
    scope="module",
    params=[(1,), pytest.param(range(two_processes.STEPS), marks=pytest.mark.slow)],
    ids=["some stops", "all stops"],
)
def launched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder and the output of two processes that trained and looked for differences.

    Accelerate starts them, with the configuration for nodes.
    """
    out = tmp_path_factory.mktemp("two")
    data = write_pictures(out / "data")
    command = [*ACCELERATE, "-m", "tests.training.loop.two_processes", data, out]
    done = subprocess.run(
        [*command, *map(str, request.param)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out, done.stdout


def test_two_processes_stop_and_go_on_bit_for_bit(launched: tuple[Path, str]) -> None:
    """Stopped at steps of two epochs; NaN in one is skipped by both; shards are as whole."""
    out, said = launched
    for name in ("tokenizer", "transformer"):
        equal, stops = re.search(name + r": (\d)/(\d) equal", said).groups()
        assert equal == stops > "0"
    evaluated = re.search(r"evaluation: same True, gap (\S+)", said)
    assert evaluated and float(evaluated[1]) < 1e-4
    assert "poison: skipped 1, same True, finite True" in said
    two = [float(one) for one in re.search(r"frechet: (\S+) (\S+)", said).groups()]
    assert two == pytest.approx(drawn_distances(out), rel=1e-3)
    gap, kept, same = re.search(r"shards: gap (\S+), kept (\S+), same (\S+)", said).groups()
    assert same == "True"
    written = {path.name for path in (out / "shards/sharded/step-00000004").iterdir()}
    parts = [f"shard-0000{p}-model-0000{n}-of-00003.safetensors" for p in (1, 2) for n in (1, 2, 3)]
    assert written == {*parts, "meta.json"}  # weights, average, optimizer of each process
    assert float(gap) < 1e-5
    assert 0.45 < float(kept) < 0.55


def drawn_distances(out: Path) -> list[float]:
    """How far drawings and pictures are from pictures, as one process finds."""
    tokenizer, measured = out / "tokenizer/whole/tokenizer", ["--frechet-drawings", "8", "--nets"]
    arguments = transformer_arguments(out / "data", tokenizer, out / "alone", 4)
    arguments += [*measured, str(out / "nets")]
    run = TransformerRun(parse_settings(TransformerSettings, arguments, ""))
    figures, _ = run.evaluate()
    return [figures["frechet"], figures["frechet_of_real"]]


def test_two_processes_learn_what_one_learns_from_twice_the_batch(
    launched: tuple[Path, str],
) -> None:
    """With all that is random: crops, noise, dropped scales and labels, wrong codes, restarts."""
    out, _ = launched
    tokenizer, twice = out / "tokenizer" / "whole" / "tokenizer", "--batch-size 8 --accumulate 2"
    two_processes.learn(out / "data", tokenizer, out / "one", *twice.split())
    for name in ("tokenizer", "transformer"):
        ours, theirs = final_weights(out / "two" / name), final_weights(out / "one" / name)
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
def test_sharded_processes_killed_while_saving_reach_the_same_weights(
    data: Path, tmp_path: Path
) -> None:
    """kill -9 of the first, of the second and of both, from the first to the last of real saves."""
    tokenizer, kills = tmp_path / "made" / "tokenizer", 8
    run_tokenizer(data, tokenizer.parent, 2)
    command = [sys.executable, "-m", "tests.training.loop.killed_shards", data, tokenizer]
    done = subprocess.run(
        [*command, tmp_path, str(kills)],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count(": same True") == kills * len(killed_shards.VICTIMS), done.stdout


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
