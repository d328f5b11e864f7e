"""Copies of a network, also with one label more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from var_core.transformer.label_maps import LabelMaps
from var_core.transformer.model import VARTransformer


@dataclass(frozen=True)
class LabelRows:
    """What a network holds of a label.

    Attributes:
        embedding: (C,).
        codes: codes of its label map, (rank,), or with pairs one for each value of the last
            attribute, (values, rank); None for a network without label maps.
    """

    embedding: Tensor
    codes: Tensor | None = None


def copied(transformer: VARTransformer) -> VARTransformer:
    """A copy of a network with weights of its own, plain in memory, none of which learn."""
    return _made(transformer, transformer.config, transformer.state_dict())


@torch.no_grad()
def with_label(transformer: VARTransformer, column: int, rows: LabelRows) -> VARTransformer:
    """A copy of a network whose attribute `column` has one value more, the last before null.

    Raises:
        ValueError: if the rows do not fit the network, or its labels cannot be added to.
    """
    config = dict(transformer.config)
    counts = list(config["label_counts"])
    pairs = config["label_pairs"]
    shape = code_shape(transformer, column)
    found = None if rows.codes is None else tuple(rows.codes.shape)
    if tuple(rows.embedding.shape) != (config["width"],) or found != shape:
        raise ValueError(
            f"a label of this network has {config['width']} numbers and codes {shape}, got "
            f"{tuple(rows.embedding.shape)} and {found}"
        )
    has_pairs = pairs and column == len(counts) - 2
    more = counts[-1] if has_pairs else 0
    counts[column] += 1
    config |= {"label_counts": counts, "label_pairs": pairs + more}
    state = transformer.state_dict()
    name = f"label_embeds.{column}.weight"
    state[name] = _inserted(state[name], rows.embedding.unsqueeze(0))
    if rows.codes is not None:
        name = f"label_maps.codes.{column}.weight"
        codes = rows.codes if has_pairs else rows.codes.unsqueeze(0)
        state[name] = _inserted(state[name], codes)
    if has_pairs:
        state |= _more_pairs(cast(LabelMaps, transformer.label_maps), more)
    return _made(transformer, config, state)


def code_shape(transformer: VARTransformer, column: int) -> tuple[int, ...] | None:
    """Shape of the codes of a label of an attribute; None without label maps.

    Raises:
        ValueError: if it is the last attribute, and pairs know nothing of a new value of it.
    """
    counts = transformer.label_counts
    maps = transformer.label_maps
    if maps is None:
        return None
    rank = transformer.config["label_map_rank"]
    if maps.num_pairs and column == len(counts) - 1:
        raise ValueError("the last attribute of a network with label pairs takes no new values")
    if maps.num_pairs and column == len(counts) - 2:
        return (counts[-1], rank)
    return (rank,)


def _made(
    like: VARTransformer, config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> VARTransformer:
    """A network of such weights, where another one is and in the same mode."""
    made = cast(VARTransformer, VARTransformer.from_config(dict(config)))
    nn.Module.to(made, like.device, like.dtype)
    made.load_state_dict(state)
    return made.train(like.training).requires_grad_(False)


def _inserted(table: Tensor, rows: Tensor) -> Tensor:
    """Rows before the last one, which is that of the open label."""
    return torch.cat((table[:-1], rows.to(table), table[-1:]))


def _more_pairs(maps: LabelMaps, more: int) -> dict[str, Tensor]:
    """The tables of pairs, with a pair of the new label and each value of the last attribute."""
    child, last = maps.row_of.shape[0] - 1, maps.num_pairs
    values = torch.arange(more, dtype=maps.pairs.dtype, device=maps.pairs.device)
    pairs = torch.stack((torch.full_like(values, child), values), dim=1)
    row_of = torch.where(maps.row_of == last, last + more, maps.row_of)
    fresh = torch.cat((last + values, last + values[:1]))  # where it is open, any of them
    return {
        "label_maps.pairs": torch.cat((maps.pairs, pairs)),
        "label_maps.row_of": torch.cat((row_of[:-1], fresh.unsqueeze(0).to(row_of), row_of[-1:])),
    }
