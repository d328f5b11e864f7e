"""The scripts for a large GPU: every flag that they give is one that the trainers know."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT
from training.loop.command_line import parse_settings
from training.study.settings import RivalSettings, ScalingSettings, StudySettings
from training.tokenizer.settings import TokenizerSettings
from training.transformer.settings import TransformerSettings

# in the place of Python: trainers note their words, parts are joined to a folder, sums are done
STAND_IN = """#!/usr/bin/env bash
case $2 in
  training.train_*|training.study.*) printf '%s\\n' "${{@:3}}" > "{folder}/$2.txt" ;;
  training.weight_parts) mkdir -p "$5" ;;
  *) exec {python} "$@" ;;
esac
"""


def run(folder: Path, script: str, *words: str, more: tuple[str, ...] = ("--steps", "3")) -> None:
    """Run a script of `training/recipes` with the stand-in, and more words for the command."""
    stand_in = folder / "bin" / "python3"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(STAND_IN.format(folder=folder, python=sys.executable))
    stand_in.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{stand_in.parent}:{os.environ['PATH']}",
        "RUN": str(folder / "run"),
        "PAINTERS": "1",
        "NETS": str(folder),
    }
    command = [str(ROOT / "training" / "recipes" / script), *words, "--", *more]
    with (folder / "log.txt").open("w") as log:  # a pipe would not end with it
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=log, stderr=log)


def tokenizer_settings(folder: Path) -> TokenizerSettings:
    words = (folder / "training.train_tokenizer.txt").read_text().splitlines()
    return parse_settings(TokenizerSettings, words, "")


def transformer_settings(folder: Path) -> TransformerSettings:
    words = (folder / "training.train_transformer.txt").read_text().splitlines()
    return parse_settings(TransformerSettings, words, "")


def write_part(network: Path) -> None:
    network.mkdir(parents=True)
    (network / "weights-1-of-1.safetensors").write_bytes(b"")


@pytest.mark.parametrize("has_weights", [False, True])
def test_scenes_are_trained_from_nothing_or_from_parts(tmp_path: Path, has_weights: bool) -> None:
    if has_weights:
        write_part(tmp_path / "initial")
    initial = str(tmp_path / "initial") if has_weights else ""
    run(tmp_path, "scenes_on_gpu.sh", "data", "tokenizer", str(tmp_path / "out"), initial)
    found = transformer_settings(tmp_path)
    assert (found.steps, found.minutes, found.painters) == (3, 8, 1)
    assert bool(found.initial) == has_weights


def test_a_decoder_is_trained_alone(tmp_path: Path) -> None:
    run(tmp_path, "decoder_on_gpu.sh", "data", "tokenizer", "nets", str(tmp_path / "out"))
    found = tokenizer_settings(tmp_path)
    assert found.decoder_only and found.initial == "tokenizer" and found.minutes == 8


def test_clips_are_trained_in_two_parts_which_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = "clips_on_gpu.sh", "data", "pictures", "nets", str(out)
    run(tmp_path, *words)
    tokenizer, transformer = tokenizer_settings(tmp_path), transformer_settings(tmp_path)
    assert (tokenizer.initial, tokenizer.time_steps) == ("pictures", 50)
    assert len(tokenizer.clip_frames) == len(tokenizer.clip_sides) == 5
    assert tokenizer.minutes + transformer.minutes == 7 and transformer.initial == ""
    (out / "tokenizer" / "weights-1-of-1.safetensors").write_bytes(b"")
    run(tmp_path, *words)
    tokenizer = tokenizer_settings(tmp_path)
    assert tokenizer.initial.endswith("tokenizer/initial") and tokenizer.time_steps == 0
    (out / "transformer" / "weights-1-of-1.safetensors").write_bytes(b"")
    (tmp_path / "training.train_tokenizer.txt").unlink()
    run(tmp_path, *words)  # a tokenizer whose tokens a transformer knows stays as it is
    assert not (tmp_path / "training.train_tokenizer.txt").exists()
    transformer = transformer_settings(tmp_path)
    assert transformer.initial.endswith("transformer/initial") and transformer.minutes == 7
    assert transformer.tokenizer.endswith("frozen/initial")


@pytest.mark.parametrize(
    ("what", "kind"), [("scaling", ScalingSettings), ("rivals", RivalSettings)]
)
def test_a_study_is_done_in_bf16_and_kept(
    tmp_path: Path, what: str, kind: type[StudySettings]
) -> None:
    out = str(tmp_path / "out")
    run(tmp_path, "study_on_gpu.sh", what, "data", out, more=("--depths", "1", "2"))
    words = (tmp_path / f"training.study.{what}.txt").read_text().splitlines()
    found = parse_settings(kind, words, "")
    assert (found.depths, found.mixed_precision, found.results) == ((1, 2), "bf16", out)
    assert found.budget_minutes == 8 and found.out == str(tmp_path / "run" / what)
