"""Files of sharded weights: every process writes and reads its own part of them.

These are distributed checkpoints of PyTorch in safetensors, without pickle. Any number of processes
can read what another number has written.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor

Tensors = Mapping[str, Mapping[str, Tensor]]  # of each part of a run, by name


def has_shards(parts: Tensors) -> bool:
    """Whether some tensors are spread over the processes."""
    return any(isinstance(one, DTensor) for tensors in parts.values() for one in tensors.values())


def write_shards(folder: Path, parts: Tensors) -> None:
    """Write the parts of a run to a folder, a file for each part and process; all call it.

    Raises:
        OSError: in all processes, if one of them cannot write.
    """
    tensors, files = {}, {}
    for number, (part, found) in enumerate(parts.items(), 1):
        for name, value in found.items():
            tensors[f"{part}/{name}"] = value.detach()
            files[f"{part}/{name}"] = number
    writer = HuggingFaceStorageWriter(str(folder), files, save_distributed=True)
    try:
        save(tensors, storage_writer=writer)
    except CheckpointException as error:
        raise OSError("; ".join(str(one) for one, _ in error.failures.values())) from error


def own_files(folder: Path, process: int) -> list[Path]:
    """The files that a process has written."""
    return sorted(folder.glob(f"shard-{process + 1:05d}-*.safetensors"))


def read_shards(folder: Path, layouts: Tensors) -> dict[str, dict[str, Tensor]]:
    """Read parts of a run; a process reads what it keeps.

    Args:
        folder: what `write_shards` filled.
        layouts: tensors that are spread as the ones to read; those without are read whole.
    """
    reader = HuggingFaceStorageReader(str(folder))
    parts: dict[str, dict[str, Tensor]] = {}
    for key, stored in reader.read_metadata().state_dict_metadata.items():
        assert isinstance(stored, TensorStorageMetadata)
        part, _, name = key.partition("/")
        like = layouts.get(part, {}).get(name)
        parts.setdefault(part, {})[name] = (
            torch.empty_like(like)
            if isinstance(like, DTensor) and like.shape == stored.size
            else torch.empty(stored.size, dtype=stored.properties.dtype)
        )
    tensors = {
        f"{part}/{name}": one for part, found in parts.items() for name, one in found.items()
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")  # nothing to agree upon
        load(tensors, storage_reader=reader, no_dist=True)
    return parts
