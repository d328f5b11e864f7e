"""Loads model folders strictly: safetensors and JSON only, and nothing but a perfect match."""

import inspect
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.exact import exact_weights
from var_core.transformer import VARTransformer

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
MAX_CONFIG_BYTES = 1_000_000
PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
MAX_NAMED_KEYS = 5
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # not those of 8 bits
KEYS_AT_ONCE = 16  # that are read from a file before its pages are given back

Network = TypeVar("Network", MultiScaleVQVAE, VARTransformer)


class CheckpointError(ValueError):
    """A model folder cannot be used; the message says why in one sentence."""


def outline_network(folder: str | Path, network_type: type[Network]) -> Network:
    """A network as its settings describe it, on the meta device: without weights, without memory.

    Raises:
        CheckpointError: if the folder is missing, or its settings are damaged.
    """
    folder = Path(folder)
    refuse_pickles(folder)
    settings = _read_settings(folder / CONFIG_FILE, network_type)
    try:
        with torch.device("meta"):
            return network_type(**settings).eval()
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / CONFIG_FILE}: {error}") from error


def load_tokenizer(folder: str | Path, torch_dtype: torch.dtype = torch.float32) -> MultiScaleVQVAE:
    """Load a tokenizer in eval mode; its quantizer and last convolution are never rounded.

    Raises:
        CheckpointError: if the folder is missing, damaged or not a tokenizer.
    """
    return _load_network(Path(folder), MultiScaleVQVAE, torch_dtype)


def load_transformer(
    folder: str | Path, torch_dtype: torch.dtype = torch.float32
) -> VARTransformer:
    """Load a transformer in eval mode.

    Raises:
        CheckpointError: if the folder is missing, damaged or not a transformer.
    """
    return _load_network(Path(folder), VARTransformer, torch_dtype)


def read_json(path: Path) -> dict:
    """Read a JSON object of modest size without repeated keys.

    Raises:
        CheckpointError: if there is no such file, or it is anything else.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe could be waited for without end
            raise CheckpointError(f"{path} is no file")
        if found.st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(
                f"{path} has {found.st_size} bytes, at most {MAX_CONFIG_BYTES} are read"
            )
        value = json.loads(path.read_text("utf-8"), object_pairs_hook=_unique_keys)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must hold a JSON object")
    return value


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder that is missing or holds a file of a pickle format.

    Raises:
        CheckpointError: in either case.
    """
    if not os.path.isdir(folder):  # also where the name is too long for one
        raise CheckpointError(f"there is no model folder {folder}")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLE_SUFFIXES:
            raise CheckpointError(f"{path} may hold a pickle, and only safetensors are loaded")


def check_state(expected: Mapping[str, Iterable[int]], found: Mapping[str, Iterable[int]]) -> None:
    """Compare names and shapes of weights.

    Raises:
        CheckpointError: naming up to five missing, surplus or misshapen weights.
    """
    problems = [f"{key} is missing" for key in expected if key not in found]
    problems += [f"{key} is not part of the model" for key in found if key not in expected]
    problems += [
        f"{key} has shape {tuple(found[key])} instead of {tuple(shape)}"
        for key, shape in expected.items()
        if key in found and tuple(found[key]) != tuple(shape)
    ]
    if problems:
        named = "; ".join(problems[:MAX_NAMED_KEYS])
        more = len(problems) - MAX_NAMED_KEYS
        raise CheckpointError(named + (f"; and {more} more" if more > 0 else ""))


def open_to_readers(folder: Path) -> None:
    """Give the weights of a network folder the permissions of its settings.

    Written by diffusers, they can be read by their maker alone.
    """
    mode = stat.S_IMODE((folder / CONFIG_FILE).stat().st_mode)
    for path in folder.glob("*.safetensors"):
        path.chmod(mode)


def _load_network(folder: Path, network_type: type[Network], dtype: torch.dtype) -> Network:
    network = outline_network(folder, network_type)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    expected = {key: value.shape for key, value in network.state_dict().items()}
    try:
        with safe_open(path, "pt") as file:
            keys = list(file.keys())
            check_state(expected, {key: file.get_slice(key).get_shape() for key in keys})
        state, exact = {}, exact_weights(network)
        for start in range(0, len(keys), KEYS_AT_ONCE):
            with safe_open(path, "pt") as file:  # closing it releases its pages
                for key in keys[start : start + KEYS_AT_ONCE]:
                    kept = torch.float32 if key in exact else dtype
                    state[key] = _checked(key, file.get_tensor(key), kept)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _read_settings(path: Path, network_type: type[nn.Module]) -> dict:
    config = read_json(path)
    named = config.pop("_class_name", None)
    config.pop("_diffusers_version", None)
    config.pop("_name_or_path", None)
    if named != network_type.__name__:
        raise CheckpointError(f"{path} describes a {named}, not a {network_type.__name__}")
    known = inspect.signature(network_type.__init__).parameters
    for key in config:
        if key not in known or key == "self":
            raise CheckpointError(f"{path}: {key!r} is not a setting of {network_type.__name__}")
    return config


def _checked(key: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.dtype not in FLOATS:
        raise CheckpointError(f"{key} holds {tensor.dtype} instead of floating-point numbers")
    if not torch.isfinite(tensor).all():
        raise CheckpointError(f"{key} holds values that are not finite")
    return tensor.to(dtype)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise CheckpointError("a key occurs twice")
    return unique
