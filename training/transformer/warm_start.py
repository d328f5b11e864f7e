"""A run that starts from a trained transformer, of other depth or with other labels."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from var_core.checkpoints import load_transformer
from var_core.labels import LABELS_FILE
from var_core.transformer import VARTransformer


def label_values(label_names: Mapping) -> dict[str, list[str]]:
    """Values of each attribute, from the content of a labels.json."""
    return {entry["name"]: list(entry["values"]) for entry in label_names["attributes"]}


def transformer_folder(folder: str) -> Path:
    """Where the transformer is: in a model folder, or the folder itself."""
    inside = Path(folder) / "transformer"
    return inside if inside.is_dir() else Path(folder)


def load_trained(folder: str) -> tuple[VARTransformer, dict[str, list[str]] | None]:
    """A trained transformer, and the names of its labels where its model folder tells them.

    Args:
        folder: of a transformer, or of a whole model with its transformer and labels.json.

    Raises:
        ValueError: if it is neither, or damaged.
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
    """Take over trained weights; label maps of another make stay at their start.

    A shallower network takes evenly spaced blocks of the trained one. Labels are matched by
    attribute and name: a new label starts as the mean of the trained ones of its attribute; what
    an attribute that is gone said when left open goes to the first attribute.

    Args:
        transformer: changed in place.
        trained: of the same width, and at least as deep.
        names: values of each attribute of `transformer`, in order.
        trained_names: the same of `trained`; None if it is not known, which is taken for the same
            names where the counts are the same, for others else.

    Raises:
        ValueError: if it differs in anything else than depth, labels and label maps, or in labels
            where it has label maps for them.
    """
    ours, theirs = dict(transformer.config), dict(trained.config)
    free = {"depth", "label_map_rank", "label_pairs", "label_counts"}
    differs = [name for name in ours if not name.startswith("_") and ours[name] != theirs[name]]
    if set(differs) - free:
        raise ValueError(f"the trained transformer has another configuration: {differs}")
    if trained_names is None:
        trained_names = _assumed_names(names, theirs["label_counts"])
    same_labels = {k: list(v) for k, v in names.items()} == {
        k: list(v) for k, v in trained_names.items()
    }
    if ours["label_map_rank"] and not same_labels:
        raise ValueError(
            "label maps belong to the pictures of their labels: a run with other labels than the "
            "trained transformer's needs label_map_rank 0"
        )
    _take_weights(transformer, trained, not set(differs) & {"label_map_rank", "label_pairs"})
    tables = {
        attribute: table.weight
        for attribute, table in zip(trained_names, trained.label_embeds, strict=True)
    }
    for (attribute, values), table in zip(names.items(), transformer.label_embeds, strict=True):
        table.weight.zero_()
        if attribute in tables:
            table.weight.copy_(_renamed_rows(tables[attribute], trained_names[attribute], values))
    for attribute in set(tables) - set(names):
        transformer.label_embeds[0].weight.add_(tables[attribute][-1])


def _take_weights(transformer: VARTransformer, trained: VARTransformer, same_maps: bool) -> None:
    """Copy all but the label tables, of evenly spaced blocks; label maps only where they fit."""
    width = transformer.config.width
    last, depth = trained.config.depth - 1, transformer.config.depth
    chosen = torch.linspace(0, last, depth).round().long().tolist()
    state = trained.state_dict()
    for name, value in transformer.state_dict().items():
        source = name
        if name.startswith("blocks."):
            _, index, rest = name.split(".", 2)
            source = f"blocks.{chosen[int(index)]}.{rest}"
        if name.startswith("label_embeds.") or (name.startswith("label_maps.") and not same_maps):
            continue
        if name == "head.weight" and not same_maps:
            value[:, :width] = state[source][:, :width]
        else:
            value.copy_(state[source])


def _assumed_names(
    names: Mapping[str, Sequence[str]], counts: Sequence[int]
) -> dict[str, Sequence[str]]:
    """Names of unnamed labels: ours where the counts are the same, else names that match none."""
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
