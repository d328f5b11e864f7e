"""The label embeddings of a network, as the tables they are."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from var_core.transformer import VARTransformer


def label_tables(transformer: VARTransformer) -> list[Tensor]:
    """The embedding of each attribute, (count + 1, C); the last row stands for no label."""
    return [table.weight for table in cast(Sequence[nn.Embedding], transformer.label_embeds)]
