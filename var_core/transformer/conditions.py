"""What the network derives from labels before it sees a token."""

from typing import NamedTuple

from torch import Tensor

from var_core.transformer.blocks import Modulation


class Conditions(NamedTuple):
    """Everything the network derives from the labels, computed once per run.

    Attributes:
        embedding: summed label embeddings, (B, C).
        blocks: modulation of each block.
        head_scale: of the norm before the head, (B, 1, C).
        head_shift: likewise.
        places: position and scale embedding of every token, with the label maps, (1 or B, L, C).
        expected: the label maps, (B, L, D); None where the network has none.
        trust: how much the head relies on them, (B, L, 1).
    """

    embedding: Tensor
    blocks: tuple[Modulation, ...]
    head_scale: Tensor
    head_shift: Tensor
    places: Tensor
    expected: Tensor | None
    trust: Tensor | None
