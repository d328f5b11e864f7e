"""The sizes of the study: one dial, the depth, to which width and heads are tied."""

import math
from dataclasses import dataclass

from torch import nn

from var_core.ranges import check_int

MLP_RATIO = 4.0
COUNTED = ("blocks", "block_modulation", "head_modulation", "time")  # parts that count as N


@dataclass(frozen=True)
class Size:
    """A network of the study (arXiv 2404.02905, section 3.2: a head for each block).

    The published networks are 64 channels wide for each block. With fewer channels a block, more
    sizes lie between two numbers of parameters.
    """

    depth: int  # blocks and heads
    width_per_depth: int = 32  # channels of a head

    def __post_init__(self) -> None:
        check_int("depth", self.depth, 1, 64)
        check_int("width_per_depth", self.width_per_depth, 1, 128)

    @property
    def width(self) -> int:
        """Channels (C)."""
        return self.depth * self.width_per_depth

    @property
    def num_heads(self) -> int:
        """Attention heads (h)."""
        return self.depth

    @property
    def num_parameters(self) -> int:
        """N: parameters of blocks and modulation, without tables, projections and head."""
        width = self.width
        block = 12 * width**2 + 14 * width + self.num_heads
        return self.depth * block + 8 * width**2 + 8 * width

    @property
    def highest_rate(self) -> float:
        """Highest learning rate, by the rule of arXiv 2001.08361 (appendix D.6)."""
        return 0.003239 - 0.0001395 * math.log(self.num_parameters)


def count_outside_tables(network: nn.Module) -> int:
    """N of a network: the parameters of its blocks and of what modulates them."""
    return sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if name.split(".")[0] in COUNTED
    )
