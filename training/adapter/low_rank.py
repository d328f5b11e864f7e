"""Low-rank changes of weights (arXiv 2106.09685), learned on top of frozen ones.

A change is added to the weight, not to the output of the layer: layers here apply their GELU
themselves, and a merged weight is what is drawn with.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from var_core.adapters import adapted_layers
from var_core.transformer import VARTransformer


class LowRank(nn.Module):
    """Adds `up @ down` to a weight; nothing at first.

    Args:
        weight: (outputs, inputs).
        rank: rank of the change.
        generator: source of the first values of `down`.
    """

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.down = nn.Parameter(torch.randn(rank, inputs, generator=generator) * inputs**-0.5)
        self.up = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + self.up @ self.down


def add_changes(
    transformer: VARTransformer, rank: int, generator: torch.Generator
) -> dict[str, LowRank]:
    """Let the layers of a frozen network be changed; returns the changes by layer."""
    changes = {}
    for name in adapted_layers(transformer):
        layer = cast(nn.Linear, transformer.get_submodule(name))
        changes[name] = LowRank(layer.weight, rank, generator)
        parametrize.register_parametrization(layer, "weight", changes[name])
    return changes
