"""What the network derives from a condition before it sees a token."""

from typing import NamedTuple

from torch import Tensor

from var_core.transformer.blocks import Modulation


class EmbeddedCondition(NamedTuple):
    """Everything the network derives from a `Condition`, computed once per run.

    Attributes:
        embedding: summed label embeddings, with the mean of the phrases, (B, C).
        blocks: modulation of each block.
        head_scale: scale of the norm before the head, (B, 1, C).
        head_shift: shift of the norm before the head, (B, 1, C).
        prefix: tokens of the phrases, (B, P, C); None where the network takes no text.
    """

    embedding: Tensor
    blocks: tuple[Modulation, ...]
    head_scale: Tensor
    head_shift: Tensor
    prefix: Tensor | None
