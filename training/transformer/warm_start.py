"""A run that starts from a trained transformer, of other depth or with other labels."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from training.transformer.label_tables import label_tables
from var_core.checkpoints import load_transformer
from var_core.labels import LABELS_FILE
from var_core.transformer import VARTransformer

FREE = frozenset({"depth", "label_counts"})  # settings in which a trained network may differ


def label_values(label_names: Mapping) -> dict[str, list[str]]:
    """Values of each attribute, from the content of a labels.json."""
    return {entry["name"]: list(entry["values"]) for entry in label_names["attributes"]}


def transformer_folder(folder: str) -> Path:
    """The folder of the transformer: inside a model folder, or the folder itself."""
    inside = Path(folder) / "transformer"
    return inside if inside.is_dir() else Path(folder)


def load_trained(folder: str) -> tuple[VARTransformer, dict[str, list[str]] | None]:
    """Load a trained transformer, and the names of its labels if its model folder has them.

    Args:
        folder: folder of a transformer, or of a model with a transformer and labels.json.

    Raises:
        ValueError: if it is neither, or is damaged.
    """
    path = transformer_folder(folder)
    names = path.parent / LABELS_FILE
    return load_transformer(path), _read_names(names) if names.exists() else None


def _read_names(path: Path) -> dict[str, list[str]]:
    try:
        return label_values(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no label names: {error}") from error


@torch.no_grad()
def continue_from(
    transformer: VARTransformer,
    trained: VARTransformer,
    names: Mapping[str, Sequence[str]],
    trained_names: Mapping[str, Sequence[str]] | None,
) -> None:
    """Copy trained weights into a network.

    A shallower network takes evenly spaced blocks of the trained one. Labels are matched by
    attribute and name. A new label starts as the mean of the trained labels of its attribute. The
    null row of an attribute that no longer exists is added to the first attribute.

    Args:
        transformer: network to change in place.
        trained: network of the same width, at least as deep.
        names: values of each attribute of `transformer`, in order.
        trained_names: the same for `trained`; None if unknown: then the names are taken to be the
            same if the counts are.

    Raises:
        ValueError: if the networks differ in more than depth and labels.
    """
    ours, theirs = dict(transformer.config), dict(trained.config)
    fixed = [name for name in ours if not name.startswith("_") and name not in FREE]
    if differs := [name for name in fixed if ours[name] != theirs[name]]:
        raise ValueError(f"the trained transformer has another configuration: {differs}")
    if trained_names is None:
        trained_names = _assumed_names(names, theirs["label_counts"])
    _take_weights(transformer, trained)
    learned = dict(zip(trained_names, label_tables(trained), strict=True))
    tables = label_tables(transformer)
    for (attribute, values), table in zip(names.items(), tables, strict=True):
        table.zero_()
        if attribute in learned:
            table.copy_(_renamed_rows(learned[attribute], trained_names[attribute], values))
    for attribute in set(learned) - set(names):
        tables[0].add_(learned[attribute][-1])


def _take_weights(transformer: VARTransformer, trained: VARTransformer) -> None:
    """Copy all but the label tables, of evenly spaced blocks."""
    last, depth = trained.config["depth"] - 1, transformer.config["depth"]
    chosen = torch.linspace(0, last, depth).round().long().tolist()
    state = trained.state_dict()
    for name, value in transformer.state_dict().items():
        source = name
        if name.startswith("blocks."):
            _, index, rest = name.split(".", 2)
            source = f"blocks.{chosen[int(index)]}.{rest}"
        if not name.startswith("label_embeds."):
            value.copy_(state[source])


def _assumed_names(
    names: Mapping[str, Sequence[str]], counts: Sequence[int]
) -> dict[str, Sequence[str]]:
    """Names for unnamed labels: ours if the counts are the same, else names that match none."""
    if [len(values) for values in names.values()] == list(counts):
        return dict(names)
    attributes = list(names) if len(names) == len(counts) else map(str, range(len(counts)))
    return {
        attribute: [f"\0{number}" for number in range(count)]
        for attribute, count in zip(attributes, counts, strict=True)
    }


def _renamed_rows(table: Tensor, before: Sequence[str], after: Sequence[str]) -> Tensor:
    """Rows of a label table for other names; new ones start at the mean, the null row stays."""
    rows = table[:-1].mean(dim=0).repeat(len(after) + 1, 1)
    index = {name: number for number, name in enumerate(before)}
    for number, name in enumerate(after):
        if name in index:
            rows[number] = table[index[name]]
    rows[-1] = table[-1]
    return rows
