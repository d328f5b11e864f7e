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
        places: position and scale embedding of every token, with the label maps, (1 or B, L, C).
        prefix: tokens of the phrases, (B, P, C); None where the network takes no text.
        expected: the label maps, (B, L, D); None where the network has none.
        trust: how much the head relies on them, (B, L, 1); None where the network has none.
    """

    embedding: Tensor
    blocks: tuple[Modulation, ...]
    head_scale: Tensor
    head_shift: Tensor
    places: Tensor
    prefix: Tensor | None
    expected: Tensor | None
    trust: Tensor | None
