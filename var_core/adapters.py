"""Adapters: a new label or phrase for a trained model, and small changes of weights that draw it.

An adapter is a folder with safetensors and JSON. It belongs to one model, whose weights it names by
a hash. Used, it is merged: a pipeline with an adapter is as fast as one without.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from var_core.checkpoints import FLOATS, CheckpointError, check_state, read_json, refuse_pickles
from var_core.labels import LabelSpace
from var_core.ranges import check_float
from var_core.text import PhraseTable
from var_core.transformer import VARTransformer
from var_core.transformer.new_label import copied, with_label
from var_core.weight_files import save_tensors

CONFIG_FILE = "adapter.json"
WEIGHTS_FILE = "adapter.safetensors"
DOWN, UP = "down.", "up."
LABEL, PHRASE = "row", "phrase"  # kinds of things, whose tensor has this name in the file
MAX_RANK = 256
MAX_NAME = 100  # characters


@dataclass(frozen=True)
class AdapterSettings:
    """What an adapter is for.

    Attributes:
        name: name of the new thing, a value of an attribute; of a model that takes words, a phrase.
        attribute: name of the attribute; of a model that takes words, menu that shows the phrase,
            or "".
        like: value that the new one takes implied labels from, or choice of the menu that it takes
            its group from.
        rank: rank of the changes.
        base: hash of the weights that it was trained with.
    """

    name: str
    attribute: str
    like: str
    rank: int
    base: str


class Adapted(NamedTuple):
    """What an adapter makes of a model.

    Attributes:
        transformer: network with the changes.
        labels: names with the new thing.
        phrases: vectors of phrases with the new one; None for a model without.
    """

    transformer: VARTransformer
    labels: LabelSpace
    phrases: PhraseTable | None


@dataclass(frozen=True)
class Adapter:
    """A new label or phrase, and low-rank changes of weights.

    Attributes:
        settings: what it is for.
        down: (rank, inputs) of each changed layer, by the layer's name.
        up: (outputs, rank) of the same layers; a weight changes by `up @ down`.
        kind: LABEL or PHRASE.
        thing: embedding (C,) of the new label, or vector (E,) of the new phrase.
    """

    settings: AdapterSettings
    down: Mapping[str, Tensor]
    up: Mapping[str, Tensor]
    kind: str
    thing: Tensor

    def save(self, folder: str | Path) -> None:
        """Write the folder.

        Raises:
            OSError: if there is no space or no permission.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {self.kind: self.thing}
        for prefix, parts in ((DOWN, self.down), (UP, self.up)):
            tensors |= {prefix + name: value for name, value in parts.items()}
        kept = {name: value.detach().float().cpu().contiguous() for name, value in tensors.items()}
        save_tensors(kept, folder / WEIGHTS_FILE)
        text = json.dumps(asdict(self.settings), ensure_ascii=False, indent=1)
        (folder / CONFIG_FILE).write_text(text, "utf-8")

    def names(self, labels: LabelSpace) -> LabelSpace:
        """Names of a model's labels and menus, with the new thing.

        Raises:
            ValueError: if the name is taken, or there is nothing that it is like.
        """
        place, name, like = self.settings.attribute, self.settings.name, self.settings.like
        if self.kind == LABEL:
            return labels.with_value(place, name, like)
        return labels.with_choice(place, name, like) if place else labels

    def applied(
        self,
        transformer: VARTransformer,
        labels: LabelSpace,
        phrases: PhraseTable | None = None,
        strength: float = 1.0,
    ) -> Adapted:
        """A copy of a network with the new thing and the changes, with its names.

        Args:
            transformer: network that the adapter was trained with; it stays as it is.
            labels: names of its labels.
            phrases: vectors of its phrases.
            strength: factor on the changes, 0 to 2.

        Raises:
            ValueError: if the adapter belongs to another network, or the name is taken.
        """
        settings, thing = self.settings, self.thing
        check_float("strength", strength, 0.0, 2.0)
        if (found := base_digest(transformer)) != settings.base:
            raise ValueError(
                f"the adapter {settings.name!r} belongs to weights {settings.base}, not to {found}"
            )
        names = self.names(labels)
        if self.kind == LABEL:
            column = [one.name for one in labels.attributes].index(settings.attribute)
            grown = with_label(transformer, column, thing)
        elif phrases is None:
            raise ValueError("the model was loaded without the vectors of its words")
        else:
            grown, phrases = copied(transformer), phrases.with_phrase(settings.name, thing)
        self._add_changes(grown, strength)
        return Adapted(grown, names, phrases)

    def _add_changes(self, grown: VARTransformer, strength: float) -> None:
        """Change the weights of a network, in place.

        Raises:
            ValueError: if the changes are not those of such a network.
        """
        expected = expected_shapes(grown, self.settings.rank)
        found = {DOWN + name: value.shape for name, value in self.down.items()}
        found |= {UP + name: value.shape for name, value in self.up.items()}
        check_state(expected, found)
        weights = dict(grown.named_parameters())
        with torch.no_grad():
            for name, up in self.up.items():
                weight = weights[f"{name}.weight"]
                change = up.to(weight.device) @ self.down[name].to(weight.device)
                weight += (strength * change).to(weight.dtype)


def adapted_layers(transformer: VARTransformer) -> list[str]:
    """Names of the layers that adapters change: all matrices of the blocks that tokens pass."""
    return [
        f"blocks.{index}.{part}"
        for index in range(len(transformer.blocks))
        for part in ("attention.qkv", "attention.proj", "mlp.fc1", "mlp.fc2")
    ]


def expected_shapes(transformer: VARTransformer, rank: int) -> dict[str, tuple]:
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
        digest.update(value.bfloat16().view(torch.int16).cpu().contiguous().numpy().tobytes())
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
    if set(tensors) not in ({LABEL}, {PHRASE}):
        raise CheckpointError(
            f"{path} holds {', '.join(sorted(tensors))}, which is no label and no phrase"
        )
    ((kind, thing),) = tensors.items()
    return Adapter(settings, down, up, kind, thing)


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
