"""Checkpoints that are complete or not there at all, and exact resume from the newest one."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

META_FILE = "meta.json"
PREFIX = "step-"
KEEP = 2


def step_generator(seed: int, step: int, rank: int = 0) -> torch.Generator:
    """The randomness of one optimiser step, a function of run seed, step and rank alone.

    Seeding every step makes resume exact without storing any generator.
    """
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state of an AdamW-like optimiser as named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, entries in state.items()
        for name, value in entries.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def save_run(
    folder: Path, step: int, parts: Mapping[str, Mapping[str, Tensor]], meta: dict
) -> Path:
    """Write a checkpoint beside the others and drop old ones.

    Files go to a temporary folder, are flushed, and appear under their final name by one rename;
    the meta file with all sizes is written last.

    Args:
        folder: the run's folder.
        step: steps done.
        parts: tensors of each part, one safetensors file per part.
        meta: JSON-ready values to keep.

    Returns:
        The checkpoint's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{PREFIX}{step:08d}"
    temporary = folder / f".saving-{target.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    sizes = {}
    for name, tensors in parts.items():
        path = temporary / f"{name}.safetensors"
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path)
        sizes[path.name] = path.stat().st_size
        _flush(path)
    path = temporary / META_FILE
    path.write_text(json.dumps({"step": step, "sizes": sizes, **meta}))
    _flush(path)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    for old in complete_checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return target


def complete_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints whose files all have the size they were saved with, oldest first."""
    return [path for path in sorted(folder.glob(f"{PREFIX}*")) if _is_complete(path)]


def load_run(checkpoint: Path) -> tuple[dict[str, dict[str, Tensor]], dict]:
    """Parts and meta values of a complete checkpoint."""
    meta = json.loads((checkpoint / META_FILE).read_text())
    parts = {Path(name).stem: load_file(checkpoint / name) for name in meta["sizes"]}
    return parts, meta


class ExponentialAverage:
    """A running average of weights, kept in float32.

    Args:
        model: its parameters and floating-point buffers are averaged.
        decay: weight of the past; early on the effective decay is (1 + step) / (10 + step).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {
            name: value.detach().clone().float() for name, value in model.state_dict().items()
        }

    @torch.no_grad()
    def update(self, current: Mapping[str, Tensor], step: int) -> None:
        """Move the average towards the current weights, given under the model's names."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            [self.tensors[name] for name in current],
            [value.float() for value in current.values()],
            1 - decay,
        )


def _is_complete(path: Path) -> bool:
    try:
        sizes = json.loads((path / META_FILE).read_text())["sizes"]
        return all((path / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
