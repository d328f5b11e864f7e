"""Whatever a checkpoint holds, a run resumes from a whole one, or says in one sentence why not."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.training.tiny import run_tokenizer
from training.loop.checkpoint import META_FILE, complete_checkpoints, load_newest

Spoil = Callable[[Path], None]


def sign(checkpoint: Path, files: list[str]) -> None:
    """Let the manifest name these files, with their true sizes and hashes."""
    meta = json.loads((checkpoint / META_FILE).read_text())
    meta["files"] = {
        name: {
            "size": (checkpoint / name).stat().st_size,
            "sha256": hashlib.sha256((checkpoint / name).read_bytes()).hexdigest(),
        }
        for name in files
    }
    (checkpoint / META_FILE).write_text(json.dumps(meta))


def told(**changes: Any) -> Spoil:
    """A manifest that says something else; None leaves it out."""

    def spoil(checkpoint: Path) -> None:
        meta = json.loads((checkpoint / META_FILE).read_text()) | changes
        meta = {name: value for name, value in meta.items() if value is not None}
        (checkpoint / META_FILE).write_text(json.dumps(meta))

    return spoil


def written(text: str) -> Spoil:
    return lambda checkpoint: (checkpoint / META_FILE).write_text(text) and None


def holding(part: str, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Spoil:
    """A part with other tensors, signed."""

    def spoil(checkpoint: Path) -> None:
        path = checkpoint / f"{part}.safetensors"
        save_file(change(load_file(path)), path)
        sign(checkpoint, [one.name for one in checkpoint.glob("*.safetensors")])

    return spoil


def with_pickle(checkpoint: Path) -> None:
    (checkpoint / "weights.safetensors").write_bytes(pickle.dumps({"a": 1}))
    sign(checkpoint, [one.name for one in checkpoint.glob("*.safetensors")])


def without_average(checkpoint: Path) -> None:
    sign(checkpoint, [f"{part}.safetensors" for part in ("weights", "optimizer", "codes")])


def pointing_out(checkpoint: Path) -> None:
    shutil.copy(checkpoint / "codes.safetensors", checkpoint.parent / "elsewhere.safetensors")
    sign(checkpoint, ["../elsewhere.safetensors"])


def first(change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    def changed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        name = min(tensors)
        return tensors | {name: change(tensors[name])}

    return changed


def shorter(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors[name] for name in sorted(tensors)[1:]}


WHOLE = "no checkpoint is whole"
CASES: dict[str, tuple[Spoil, str]] = {
    "a pickle": (with_pickle, WHOLE),
    "a list": (written("[]"), WHOLE),
    "deep": (written("[" * 100_000), WHOLE),
    "no files": (told(files=[1]), WHOLE),
    "files elsewhere": (pointing_out, WHOLE),
    "no number": (told(step="x"), WHOLE),
    "an endless step": (told(step=float("inf")), WHOLE),
    "no processes": (told(processes=None), "processes of the checkpoint must be a whole number"),
    "odd skips": (told(skipped="x"), "skipped of the checkpoint must be"),
    "odd pictures": (told(pictures_seen=-4), "pictures_seen of the checkpoint must be"),
    "no settings": (told(config=3), "config of the checkpoint must be"),
    "no average": (without_average, "average is missing"),
    "another shape": (holding("average", first(lambda one: one[None])), "instead of"),
    "one less": (holding("average", shorter), "is missing"),
    "not finite": (holding("weights", first(lambda one: one / 0)), "values that are not finite"),
    "codes": (holding("codes", first(lambda one: one[:1])), "instead of"),
    "optimizer": (holding("optimizer", first(lambda one: one[:1])), "of the optimizer has shape"),
    "half an optimizer": (
        holding("optimizer", shorter),
        "other things of some weights than of others",
    ),
    "surplus": (
        holding("optimizer", lambda one: one | {"999.exp_avg": torch.zeros(1)}),
        "no weight for '999.exp_avg'",
    ),
}


def test_what_a_checkpoint_holds_is_checked_before_it_is_used(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    run_tokenizer(data, tmp_path / "whole", 2)
    for name, (spoil, message) in CASES.items():
        run = tmp_path / name.replace(" ", "-")
        shutil.copytree(tmp_path / "whole", run)
        log = (run / "log.jsonl").read_text()
        spoil(next(run.glob("step-*")))
        capfd.readouterr()
        assert run_tokenizer(data, run, 4) == 2, name
        said = capfd.readouterr().err.splitlines()[-1]
        assert said.startswith("error: ") and message in said, (name, said)
        assert (run / "log.jsonl").read_text() == log


def test_weights_that_are_none_leave_the_older_checkpoint(data: Path, tmp_path: Path) -> None:
    run_tokenizer(data, tmp_path, 4)
    with_pickle(complete_checkpoints(tmp_path)[-1])
    found = load_newest(tmp_path)
    assert found is not None and found[1]["step"] == 2
