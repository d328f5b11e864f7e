"""The published checkpoints of FoundationVision/VAR: read once, checked, written as safetensors."""

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from var_core.checkpoints import FLOATS, WEIGHTS_FILE, CheckpointError, Network, check_state
from var_core.files import making_folder, sha256_of
from var_core.labels import Attribute, LabelSpace
from var_core.locations import assets_folder
from var_core.official.keys import convert_tokenizer_state, convert_transformer_state
from var_core.pipeline import VARPipeline
from var_core.scales import SIDES_256, SIDES_512
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.weight_files import save_tensors

HEAD_WIDTH = 64  # channels of a head in the published models, where the keys do not tell
NORM_EPS = 1e-6
WRAPPED = {"tokenizer": ("vae_wo_ddp", "vae_local"), "transformer": ("var_wo_ddp",)}
MASK = "attn_bias_for_masking"  # the one buffer that holds minus infinity

State = Mapping[str, Tensor]


def read_official(path: Path, part: str, sha256: str | None = None) -> dict[str, Tensor]:
    """The weights of an official file; code in the file is not run.

    Args:
        path: `.pth` file of weights, or training checkpoint that holds them.
        part: "tokenizer" or "transformer".
        sha256: expected SHA-256 of the file; None does not check it.

    Raises:
        CheckpointError: if it is missing or damaged, is no official file, has another hash, or
            holds a value that is not finite.
    """
    if not os.path.isfile(path):  # also where the name is too long for one
        raise CheckpointError(f"there is no file {path}")
    if sha256 is not None:
        _check_hash(path, sha256.lower())
    try:
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # torch and zipfile have many words for damaged files
        raise CheckpointError(f"{path} is damaged, or holds more than weights") from error
    if isinstance(content, Mapping) and "trainer" in content:
        content = _unwrapped(path, content["trainer"], part)
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path} holds no weights")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{path} holds {key!r:.60}, which is no weight")
        _check_dense(path, key, value)
        if key != MASK and value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds values that are not finite")
    return dict(content)


def _check_hash(path: Path, sha256: str) -> None:
    """Raise CheckpointError if a file cannot be read, or has another SHA-256."""
    try:
        found = sha256_of(path)
    except PermissionError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if found != sha256:
        raise CheckpointError(f"{path} has the SHA-256 {found}, not {sha256}")


def _check_sums(path: Path) -> None:
    """Compare the content of a zip file with its checksums, which torch passes by.

    Raises:
        zipfile.BadZipFile: if a bit is wrong.
    """
    with zipfile.ZipFile(path) as file:
        if (name := file.testzip()) is not None:
            raise zipfile.BadZipFile(name)


def _check_dense(path: Path, key: str, value: Tensor) -> None:
    """Check that a tensor is plain and holds all the numbers that its shape claims."""
    is_odd = value.is_floating_point() and value.dtype not in FLOATS
    is_odd = is_odd or value.is_quantized or value.is_complex() or value.is_meta
    if value.layout != torch.strided or is_odd:
        raise CheckpointError(f"{path}: {key} holds no plain numbers")
    if not value.numel():
        raise CheckpointError(f"{path}: {key} of shape {tuple(value.shape)} is empty")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise CheckpointError(f"{path}: {key} claims more numbers than the file holds")


def _shape(state: State, key: str, num_dims: int) -> tuple[int, ...]:
    """Shape of a weight.

    Raises:
        CheckpointError: if it is missing or has another number of dimensions.
    """
    if key not in state:
        raise CheckpointError(f"{key} is missing")
    if state[key].ndim != num_dims:
        found = tuple(state[key].shape)
        raise CheckpointError(f"{key} has shape {found} instead of {num_dims} dimensions")
    return tuple(state[key].shape)


def _unwrapped(path: Path, trainer: object, part: str) -> object:
    """The state of one network of a training checkpoint."""
    if isinstance(trainer, Mapping):
        for name in WRAPPED[part]:
            if name in trainer:
                return trainer[name]
    raise CheckpointError(f"{path} is a training checkpoint without a {part}")


def tokenizer_settings(state: State, sides: Sequence[int]) -> dict[str, Any]:
    """The settings of an official tokenizer, from the shapes of its weights.

    Raises:
        CheckpointError: if it is no official tokenizer.
    """
    levels = _count(state, r"encoder\.down\.(\d+)\..+")
    if "quantize.embedding.weight" not in state or not levels:
        raise CheckpointError("this is no official tokenizer: it has no codebook or no encoder")
    vocab_size, code_dim = _shape(state, "quantize.embedding.weight", 2)
    return {
        "sides": list(sides),
        "vocab_size": vocab_size,
        "code_dim": code_dim,
        "level_channels": [
            _shape(state, f"encoder.down.{level}.block.0.conv2.weight", 4)[0]
            for level in range(levels)
        ],
        "num_blocks": _count(state, r"encoder\.down\.0\.block\.(\d+)\..+"),
        "num_refine": _count(state, r"quantize\.quant_resi\.qresi_ls\.(\d+)\..+"),
        "level_attention": any(".attn." in key for key in state),
        "middle_attention": "encoder.mid.attn_1.qkv.weight" in state,
    }


def transformer_settings(
    state: State, sides: Sequence[int] | None, num_heads: int | None
) -> dict[str, Any]:
    """The settings of an official transformer, from the keys and shapes of its weights.

    Args:
        state: weights under their official keys.
        sides: sides of the token maps; None takes the published list with as many tokens.
        num_heads: number of heads; None takes what the keys tell, else heads of 64 channels.

    Raises:
        CheckpointError: if it is no official transformer, or the sides do not fit it.
    """
    if "pos_1LC" not in state or "class_emb.weight" not in state:
        raise CheckpointError("this is no official transformer: it has no positions or no classes")
    _, length, width = _shape(state, "pos_1LC", 3)
    num_scales = _shape(state, "lvl_embed.weight", 2)[0]
    if sides is None:
        known = {sum(s * s for s in one): one for one in (SIDES_256, SIDES_512)}
        if length not in known:
            raise CheckpointError(f"{length} tokens are no published list of scales: name them")
        sides = known[length]
    if sum(side * side for side in sides) != length or len(sides) != num_scales:
        raise CheckpointError(
            f"the scales {', '.join(map(str, sides))} have {sum(s * s for s in sides)} tokens, the "
            f"transformer {length} in {num_scales} scales"
        )
    scaled = "blocks.0.attn.scale_mul_1H11"
    told = _shape(state, scaled, 4)[1] if scaled in state else None
    if num_heads is not None and told not in (None, num_heads):
        raise CheckpointError(f"the transformer has {told} heads, not {num_heads}")
    return {
        "sides": list(sides),
        "vocab_size": _shape(state, "head.weight", 2)[0],
        "code_dim": _shape(state, "word_embed.weight", 2)[1],
        "label_counts": [_shape(state, "class_emb.weight", 2)[0] - 1],
        "depth": _count(state, r"blocks\.(\d+)\..+"),
        "width": width,
        "num_heads": num_heads or told or max(1, width // HEAD_WIDTH),
        "mlp_ratio": _shape(state, "blocks.0.ffn.fc1.weight", 2)[0] / width,
        "shared_modulation": "shared_ada_lin.1.weight" in state,
        "qk_norm": told is not None,
        "norm_eps": NORM_EPS,
    }


def _count(state: Iterable[str], pattern: str) -> int:
    """One more than the highest number that the group of a pattern matches in any key."""
    found = [int(match[1]) for key in state if (match := re.fullmatch(pattern, key))]
    return max(found, default=-1) + 1


def class_names(count: int) -> LabelSpace:
    """Label names of classes: those of ImageNet for 1,000 classes, else numbers."""
    names = assets_folder() / "imagenet" / "classes.json"
    rows = json.loads(names.read_text("utf-8"))
    if count != len(rows):
        return LabelSpace.single("class", count)
    attribute = Attribute("class", tuple(row[0] for row in rows))
    return LabelSpace((attribute,), tags={"class": tuple(tuple(row[1:]) for row in rows)})


def convert(
    tokenizer: Path,
    transformer: Path,
    out: Path,
    sides: Sequence[int] | None = None,
    num_heads: int | None = None,
    tokenizer_sha256: str | None = None,
    transformer_sha256: str | None = None,
) -> None:
    """Turn a pair of official files into a model folder; it appears whole or not at all.

    Args:
        tokenizer: official file, such as `vae_ch160v4096z32.pth`.
        transformer: official file, such as `var_d16.pth`.
        out: model folder to make; must not exist.
        sides: sides of the token maps; None takes those that the transformer tells.
        num_heads: number of attention heads; None takes what the transformer tells.
        tokenizer_sha256: expected SHA-256 of the tokenizer's file; None does not check it.
        transformer_sha256: expected SHA-256 of the transformer's file; None does not check it.

    Raises:
        CheckpointError: if a file cannot be used; nothing has been written then.
        OSError: if there is no space or no permission.
    """
    if out.exists():
        raise CheckpointError(f"{out} is there already")
    official = read_official(transformer, "transformer", transformer_sha256)
    var_settings = transformer_settings(official, sides, num_heads)
    renamed = _renamed(transformer, official, convert_transformer_state)
    var, var_state = _fitted(transformer, VARTransformer, var_settings, renamed)
    official = read_official(tokenizer, "tokenizer", tokenizer_sha256)
    vae_settings = tokenizer_settings(official, var_settings["sides"])
    renamed = _renamed(tokenizer, official, convert_tokenizer_state)
    vae, vae_state = _fitted(tokenizer, MultiScaleVQVAE, vae_settings, renamed)
    labels = class_names(var.null_labels[0])
    pipeline = VARPipeline(vae, var, labels)
    with making_folder(out) as folder:
        pipeline.save_config(folder)
        for name, network, state in (
            ("tokenizer", vae, vae_state),
            ("transformer", var, var_state),
        ):
            network.save_config(folder / name)
            save_tensors(state, folder / name / WEIGHTS_FILE)
        labels.save(folder)


def _renamed(
    path: Path, official: State, rename: Callable[[State], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Weights of a file under our names, in float32."""
    try:
        return {key: value.float().contiguous() for key, value in rename(official).items()}
    except (ValueError, IndexError, RuntimeError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _fitted(
    path: Path,
    network_type: type[Network],
    settings: Mapping[str, Any],
    state: dict[str, Tensor],
) -> tuple[Network, dict[str, Tensor]]:
    """A network without weights, and its weights, which fit it exactly."""
    try:
        with torch.device("meta"):
            network = network_type(**settings)
        expected = {key: value.shape for key, value in network.state_dict().items()}
        check_state(expected, {key: value.shape for key, value in state.items()})
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return network, state
