"""Copies of a network, also with one label more."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from var_core.transformer.model import VARTransformer


def copied(transformer: VARTransformer) -> VARTransformer:
    """A copy of a network with weights of its own, plain in memory, none of which learn."""
    return _made(transformer, transformer.config, transformer.state_dict())


@torch.no_grad()
def with_label(transformer: VARTransformer, column: int, row: Tensor) -> VARTransformer:
    """A copy of a network whose attribute `column` has one value more, the last before null.

    Args:
        transformer: network; it stays as it is.
        column: attribute of the new value.
        row: embedding of the new value, (C,).

    Raises:
        ValueError: if the row does not fit the network.
    """
    config = dict(transformer.config)
    if tuple(row.shape) != (config["width"],):
        raise ValueError(
            f"a label of this network has {config['width']} numbers, got {tuple(row.shape)}"
        )
    counts = list(config["label_counts"])
    counts[column] += 1
    state = transformer.state_dict()
    name = f"label_embeds.{column}.weight"
    table = state[name]  # whose last row is that of the open label
    state[name] = torch.cat((table[:-1], row.to(table).unsqueeze(0), table[-1:]))
    return _made(transformer, config | {"label_counts": counts}, state)


def _made(
    like: VARTransformer, config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> VARTransformer:
    """A network of such weights, where another one is and in the same mode."""
    made = cast(VARTransformer, VARTransformer.from_config(dict(config)))
    nn.Module.to(made, like.device, like.dtype)
    made.load_state_dict(state)
    return made.train(like.training).requires_grad_(False)
