"""Checkpoints that are complete or missing, and exact resume from the newest one."""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from diffusers.models.modeling_utils import ModelMixin
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.loop.sharded_checkpoint import own_files, read_shards, write_shards
from training.loop.sharding import own_part
from var_core.checkpoints import FLOATS, check_state, open_to_readers, read_json
from var_core.files import sha256_of
from var_core.ranges import check_int
from var_core.weight_files import save_tensors

logger = logging.getLogger(__name__)

META_FILE = "meta.json"
PREFIX = "step-"
NAMED = re.compile(rf"{PREFIX}\d{{8,}}")
TEMPORARY = ".saving-"
KEEP = 2
MAX_STEP = 10**12
LATER_NAMES = ("last_used",)  # of tensors that old versions did not keep
SHARDED = "sharded"  # entry of the manifest, where every process wrote its own files


class SaveError(OSError):
    """Something could not be written; the files from before are still there."""


def step_generator(seed: int, step: int, purpose: int = 0) -> torch.Generator:
    """Randomness that all pictures of a step share, a function of seed, step and purpose alone.

    Seeding every step makes resume exact without storing any generator.
    """
    digest = hashlib.sha256(f"{seed}/{step}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


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
        _begin(temporary)
        files = {}
        for name, tensors in parts.items():
            path = temporary / f"{name}.safetensors"
            values = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
            save_tensors(values, path)
            files |= _signed(path)
        _finish(temporary, target, {"step": step, "files": files, **meta})
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SaveError(f"the checkpoint of step {step} cannot be saved: {error}") from error
    return target


def save_sharded_run(
    folder: Path,
    step: int,
    parts: Mapping[str, Mapping[str, Tensor]],
    meta: dict,
    accelerator: Accelerator,
) -> None:
    """As `save_run`, of sharded tensors: all processes call it, and write what they keep.

    Raises:
        SaveError: in all processes, if one of them cannot write.
    """
    target = folder / f"{PREFIX}{step:08d}"
    temporary = folder / f"{TEMPORARY}{target.name}"
    if _of_first(accelerator, lambda: target in complete_checkpoints(folder)):
        return
    try:
        _of_first(accelerator, lambda: _begin(temporary))
        write_shards(temporary, parts)
        own = [_signed(path) for path in own_files(temporary, accelerator.process_index)]
        files = {name: file for found in gather_object(own) for name, file in found.items()}
        manifest = {"step": step, "files": files, SHARDED: True, **meta}
        _of_first(accelerator, lambda: _finish(temporary, target, manifest))
    except (OSError, SafetensorError) as error:
        if accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
        raise SaveError(f"the checkpoint of step {step} cannot be saved: {error}") from error


def _of_first(accelerator: Accelerator, work: Callable[[], object]) -> object:
    """What a function returns in the first process, in all processes.

    Raises:
        OSError: in all processes, if the first one gets one.
    """
    said: list[object] = [None, None]
    if accelerator.is_main_process:
        try:
            said[0] = work()
        except OSError as error:
            said[1] = error.strerror or str(error)
    broadcast_object_list(said)
    if said[1] is not None:
        raise OSError(said[1])
    return said[0]


def _begin(temporary: Path) -> None:
    _clear(temporary)
    temporary.mkdir(parents=True)


def _signed(path: Path) -> dict[str, dict[str, object]]:
    """A file that was written, flushed, with size and hash, under its name."""
    _flush(path)
    return {path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}}


def _finish(temporary: Path, target: Path, manifest: dict) -> None:
    """Let a checkpoint appear, complete; older ones than the last two go."""
    path = temporary / META_FILE
    path.write_text(json.dumps(manifest))
    _flush(path)
    _flush(temporary)
    _clear(target)  # an incomplete checkpoint of this name
    temporary.rename(target)
    _flush(target.parent)
    for old in complete_checkpoints(target.parent)[:-KEEP]:
        shutil.rmtree(old)


def save_model(network: ModelMixin, folder: Path) -> None:
    """Write a network as a model folder, which holds the old or the new network at any time.

    Raises:
        SaveError: if the disk is full or refuses.
    """
    temporary, old = (folder.with_name(f"{TEMPORARY}{folder.name}{end}") for end in ("", "-old"))
    try:
        _clear(temporary)
        network.save_pretrained(temporary)
        open_to_readers(temporary)
        _clear(old)
        if os.path.lexists(folder):
            folder.rename(old)
        temporary.rename(folder)
        _clear(old)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SaveError(f"the model folder {folder} cannot be saved: {error}") from error


def read_meta(checkpoint: Path) -> dict:
    """The manifest of a checkpoint.

    Raises:
        ValueError: if it is missing or damaged.
    """
    meta = read_json(checkpoint / META_FILE)
    check_int("step", meta.get("step"), 0, MAX_STEP)
    files = meta.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(file, dict) and file.keys() == {"size", "sha256"} for file in files.values()
    ):
        raise ValueError(f"{checkpoint / META_FILE} lists no files")
    if strange := [name for name in files if Path(name).name != name]:
        raise ValueError(f"{checkpoint / META_FILE} names {strange[0]!r:.60}, which is elsewhere")
    return meta


def complete_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints whose files all have the sizes they were saved with, oldest first."""
    return [path for path in _named_checkpoints(folder) if _is_complete(path)]


def _named_checkpoints(folder: Path) -> list[Path]:
    """What has the name of a checkpoint, oldest first; copies with other names are left alone."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if NAMED.fullmatch(path.name))


def load_newest(
    folder: Path, layouts: Mapping[str, Mapping[str, Tensor]] | None = None
) -> tuple[dict[str, dict[str, Tensor]], dict] | None:
    """Parts and meta values of the newest whole checkpoint; None if none was ever saved.

    Args:
        folder: folder of the run.
        layouts: tensors that are spread over processes as those of the checkpoint shall be.

    Raises:
        ValueError: if there are checkpoints, and all are damaged.
    """
    for checkpoint in reversed(complete_checkpoints(folder)):
        files = read_meta(checkpoint)["files"]
        try:
            if all(sha256_of(checkpoint / name) == file["sha256"] for name, file in files.items()):
                return load_run(checkpoint, layouts)
        except SafetensorError:  # whole, but no weights
            pass
        logger.warning("%s is damaged: resuming from an older checkpoint", checkpoint)
    if found := [path.name for path in _named_checkpoints(folder)]:
        raise ValueError(
            f"{folder} holds {', '.join(found[:3])}, and no checkpoint is whole: put one back, or "
            "take them away to begin anew"
        )
    return None


def load_run(
    checkpoint: Path, layouts: Mapping[str, Mapping[str, Tensor]] | None = None
) -> tuple[dict[str, dict[str, Tensor]], dict]:
    """Parts and meta values of a complete checkpoint; see `load_newest`."""
    meta = read_meta(checkpoint)
    if meta.get(SHARDED) is True:
        return read_shards(checkpoint, layouts or {}), meta
    parts = {Path(name).stem: load_file(checkpoint / name) for name in meta["files"]}
    return parts, meta


def check_parts(
    expected: Mapping[str, Mapping[str, Tensor]],
    found: Mapping[str, Mapping[str, Tensor]],
    owner: str,
) -> None:
    """Check that the parts of a checkpoint fit a run, but for the states of optimizers.

    Args:
        expected: what the run would save.
        found: what the checkpoint holds.
        owner: the run and its network, for the message.

    Raises:
        ValueError: if a part is missing, has other names or shapes, or is not finite.
    """
    for part, tensors in expected.items():
        if part not in found:
            raise ValueError(f"{owner}: {part} is missing")
        if part.endswith("optimizer"):
            continue
        stored = {name: value.shape for name, value in found[part].items()}
        shapes = {
            name: value.shape
            for name, value in tensors.items()
            if name in stored or name not in LATER_NAMES
        }
        try:
            check_state(shapes, stored)
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from error
        for name, value in found[part].items():
            is_odd = value.is_floating_point() and value.dtype not in FLOATS
            if is_odd or not torch.isfinite(own_part(value)).all():
                raise ValueError(f"{owner}: {name} holds values that are not finite")


def _is_complete(path: Path) -> bool:
    try:
        files = read_meta(path)["files"]
        return all((path / name).stat().st_size == file["size"] for name, file in files.items())
    except (OSError, ValueError):
        return False


def _clear(path: Path) -> None:
    """Remove a folder, a file, or a link but not what it leads to; what cannot go stays."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
