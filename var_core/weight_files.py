"""Writes tensors as safetensors files that others can read."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from var_core.files import replacing


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file in one step, with the permissions of any other new file.

    The library's own function leaves a file to its maker alone.

    Args:
        tensors: contiguous tensors by name.
        path: file to write; missing folders are made.
        metadata: words to store beside the tensors.

    Raises:
        OSError: if there is no space or no permission.
    """
    with replacing(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata)
        except SafetensorError as error:  # which is no OSError
            raise OSError(0, str(error), str(path)) from error
