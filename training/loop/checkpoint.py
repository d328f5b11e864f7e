"""Checkpoints that are complete or missing, and exact resume from the newest one."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers.models.modeling_utils import ModelMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from training.loop.sharding import spread_like
from var_core.files import sha256_of

logger = logging.getLogger(__name__)

META_FILE = "meta.json"
PREFIX = "step-"
TEMPORARY = ".saving-"
KEEP = 2


class SaveError(OSError):
    """Something could not be written; the files from before are still there."""


def step_generator(seed: int, step: int, rank: int = 0) -> torch.Generator:
    """The randomness of one optimizer step, a function of run seed, step and process alone.

    Seeding every step makes resume exact without storing any generator.
    """
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state of an AdamW-like optimizer as named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, entries in state.items()
        for name, value in entries.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned; tensors of sharded weights are given whole."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = spread_like(value, parameters[int(index)])
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def save_run(
    folder: Path, step: int, parts: Mapping[str, Mapping[str, Tensor]], meta: dict
) -> Path:
    """Write a checkpoint and delete all but the newest two.

    Files go to a temporary folder, are flushed, and appear under their final name by one rename;
    the manifest with all sizes and SHA-256 digests is written last.

    Args:
        folder: folder of the run.
        step: steps done.
        parts: tensors of each part, one safetensors file per part.
        meta: other values to keep, ready for JSON.

    Returns:
        The checkpoint's folder.

    Raises:
        SaveError: if the disk is full or refuses; older checkpoints are untouched.
    """
    target = folder / f"{PREFIX}{step:08d}"
    if target in complete_checkpoints(folder):
        return target
    temporary = folder / f"{TEMPORARY}{target.name}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        files = {}
        for name, tensors in parts.items():
            path = temporary / f"{name}.safetensors"
            values = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
            save_file(values, path)
            files[path.name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
            _flush(path)
        path = temporary / META_FILE
        path.write_text(json.dumps({"step": step, "files": files, **meta}))
        _flush(path)
        _flush(temporary)
        shutil.rmtree(target, ignore_errors=True)  # an incomplete checkpoint of this name
        temporary.rename(target)
        _flush(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SaveError(f"the checkpoint of step {step} cannot be saved: {error}") from error
    for old in complete_checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return target


def save_model(network: ModelMixin, folder: Path) -> None:
    """Write a network as a model folder, which holds the old or the new network at any time.

    Raises:
        SaveError: if the disk is full or refuses.
    """
    temporary, old = (folder.with_name(f"{TEMPORARY}{folder.name}{end}") for end in ("", "-old"))
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        network.save_pretrained(temporary)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SaveError(f"the model folder {folder} cannot be saved: {error}") from error


def complete_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints whose files all have the sizes they were saved with, oldest first."""
    return [path for path in sorted(folder.glob(f"{PREFIX}*")) if _is_complete(path)]


def load_newest(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict] | None:
    """Parts and meta values of the newest checkpoint with the right hashes; None without one."""
    for checkpoint in reversed(complete_checkpoints(folder)):
        files = json.loads((checkpoint / META_FILE).read_text())["files"]
        if all(sha256_of(checkpoint / name) == file["sha256"] for name, file in files.items()):
            return load_run(checkpoint)
        logger.warning("%s is damaged: resuming from an older checkpoint", checkpoint)
    return None


def load_run(checkpoint: Path) -> tuple[dict[str, dict[str, Tensor]], dict]:
    """Parts and meta values of a complete checkpoint."""
    meta = json.loads((checkpoint / META_FILE).read_text())
    parts = {Path(name).stem: load_file(checkpoint / name) for name in meta["files"]}
    return parts, meta


def _is_complete(path: Path) -> bool:
    try:
        files = json.loads((path / META_FILE).read_text())["files"]
        return all((path / name).stat().st_size == file["size"] for name, file in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
