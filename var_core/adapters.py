"""Adapters: a new label for a trained model, and small changes of its weights that draw it.

An adapter is a folder with safetensors and JSON. It belongs to one model, whose weights it names by
a hash. Used, it is merged: a pipeline with an adapter is as fast as one without.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from var_core.checkpoints import FLOATS, CheckpointError, check_state, read_json, refuse_pickles
from var_core.labels import LabelSpace
from var_core.ranges import check_float
from var_core.transformer import VARTransformer
from var_core.transformer.new_label import LabelRows, with_label

CONFIG_FILE = "adapter.json"
WEIGHTS_FILE = "adapter.safetensors"
DOWN, UP, ROW, CODES = "down.", "up.", "row", "codes"
MAX_RANK = 256
MAX_NAME = 100  # characters


@dataclass(frozen=True)
class AdapterSettings:
    """What an adapter is for.

    Attributes:
        name: name of the new thing, a value of an attribute.
        attribute: name of the attribute.
        like: value of the attribute that the new one takes implied labels from.
        rank: rank of the changes.
        base: hash of the weights that it was trained with.
    """

    name: str
    attribute: str
    like: str
    rank: int
    base: str


@dataclass(frozen=True)
class Adapter:
    """A new label and low-rank changes of weights.

    Attributes:
        settings: what it is for.
        down: (rank, inputs) of each changed layer, by the layer's name.
        up: (outputs, rank) of the same layers; a weight changes by `up @ down`.
        rows: what the network holds of the new label.
    """

    settings: AdapterSettings
    down: Mapping[str, Tensor]
    up: Mapping[str, Tensor]
    rows: LabelRows

    def save(self, folder: str | Path) -> None:
        """Write the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {ROW: self.rows.embedding}
        if self.rows.codes is not None:
            tensors[CODES] = self.rows.codes
        for prefix, parts in ((DOWN, self.down), (UP, self.up)):
            tensors |= {prefix + name: value for name, value in parts.items()}
        kept = {name: value.detach().float().cpu().contiguous() for name, value in tensors.items()}
        save_file(kept, folder / WEIGHTS_FILE)
        text = json.dumps(asdict(self.settings), ensure_ascii=False, indent=1)
        (folder / CONFIG_FILE).write_text(text, "utf-8")

    def applied(
        self, transformer: VARTransformer, labels: LabelSpace, strength: float = 1.0
    ) -> tuple[VARTransformer, LabelSpace]:
        """A copy of a network with the new label and the changes, and its label names.

        Args:
            transformer: network that the adapter was trained with; it stays as it is.
            labels: names of its labels.
            strength: factor on the changes, 0 to 2.

        Raises:
            ValueError: if the adapter belongs to another network, or the name is taken.
        """
        settings = self.settings
        check_float("strength", strength, 0.0, 2.0)
        if (found := base_digest(transformer)) != settings.base:
            raise ValueError(
                f"the adapter {settings.name!r} belongs to weights {settings.base}, not to {found}"
            )
        names = labels.with_value(settings.attribute, settings.name, settings.like)
        column = [one.name for one in labels.attributes].index(settings.attribute)
        grown = with_label(transformer, column, self.rows)
        weights = dict(grown.named_parameters())
        expected = expected_shapes(transformer, settings.rank, column)
        found_shapes = {DOWN + name: value.shape for name, value in self.down.items()}
        found_shapes |= {UP + name: value.shape for name, value in self.up.items()}
        check_state(expected, found_shapes)
        with torch.no_grad():
            for name, up in self.up.items():
                weight = weights[f"{name}.weight"]
                change = up.to(weight.device) @ self.down[name].to(weight.device)
                weight += (strength * change).to(weight.dtype)
        return grown, names


def adapted_layers(transformer: VARTransformer) -> list[str]:
    """Names of the layers that adapters change: all matrices of the blocks that tokens pass."""
    return [
        f"blocks.{index}.{part}"
        for index in range(len(transformer.blocks))
        for part in ("attention.qkv", "attention.proj", "mlp.fc1", "mlp.fc2")
    ]


def expected_shapes(transformer: VARTransformer, rank: int, column: int) -> dict[str, tuple]:
    """Shapes of all low-rank tensors of an adapter of a network, by name."""
    weights = dict(transformer.named_parameters())
    shapes: dict[str, tuple] = {}
    for name in adapted_layers(transformer):
        outputs, inputs = weights[f"{name}.weight"].shape
        shapes |= {DOWN + name: (rank, inputs), UP + name: (outputs, rank)}
    return shapes


def base_digest(transformer: VARTransformer) -> str:
    """A short hash of the weights of a network, the same in float32 and bf16."""
    digest = hashlib.sha256()
    for name, value in sorted(transformer.state_dict().items()):
        digest.update(name.encode())
        kept = value.bfloat16().view(torch.int16) if value.is_floating_point() else value
        digest.update(kept.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def load_adapter(folder: str | Path) -> Adapter:
    """Read an adapter, strictly: safetensors and JSON only.

    Raises:
        CheckpointError: if anything is missing, surplus, or not finite.
    """
    folder = Path(folder)
    refuse_pickles(folder)
    settings = _read_settings(folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    for name, value in tensors.items():
        if value.dtype not in FLOATS or not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {name} holds values that are not finite numbers")
    down, up = (
        {
            name.removeprefix(prefix): tensors.pop(name)
            for name in sorted(tensors)
            if name.startswith(prefix)
        }
        for prefix in (DOWN, UP)
    )
    if ROW not in tensors or set(tensors) - {ROW, CODES}:
        raise CheckpointError(f"{path} holds {', '.join(sorted(tensors))}, which is no label")
    return Adapter(settings, down, up, LabelRows(tensors[ROW], tensors.get(CODES)))


def _read_settings(path: Path) -> AdapterSettings:
    found = read_json(path)
    fields = AdapterSettings.__dataclass_fields__
    if found.keys() != fields.keys():
        raise CheckpointError(f"{path} must name {', '.join(fields)}, not {', '.join(found)}")
    rank = found["rank"]
    words = [value for name, value in found.items() if name != "rank"]
    are_words = all(isinstance(word, str) and len(word) <= MAX_NAME for word in words)
    if not are_words or not found["name"].strip():
        raise CheckpointError(f"{path}: names are texts of at most {MAX_NAME} characters")
    if type(rank) is not int or not 1 <= rank <= MAX_RANK:
        raise CheckpointError(f"{path}: rank is 1 to {MAX_RANK}, got {rank!r:.40}")
    return AdapterSettings(**found)
