"""From a condition to all that the network derives of it before it sees a token."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.condition import Condition
from var_core.packing import Linear
from var_core.transformer.blocks import AdaptiveBlock
from var_core.transformer.embedded_condition import EmbeddedCondition
from var_core.transformer.prompt import PromptEmbedding


class ConditionMethods:
    """Embedding labels and phrases: part of `VARTransformer`, which owns the weights.

    Attributes:
        label_counts: number of values of each label attribute.
        text_dim: width of a phrase vector (E); 0 without text.
        num_prefix: tokens of phrases at the front of the sequence (P); 0 without text.
    """

    label_counts: tuple[int, ...]
    text_dim: int
    num_prefix: int
    label_embeds: nn.ModuleList
    prompt: PromptEmbedding | None
    pos_embed: nn.Parameter
    block_modulation: Linear | None
    blocks: nn.ModuleList
    head_modulation: Linear

    @property
    def null_labels(self) -> tuple[int, ...]:
        """The null index of each attribute."""
        return self.label_counts

    def null_condition(self, count: int = 1) -> Condition:
        """`count` rows that ask for nothing, on the device of the network."""
        labels = torch.tensor(self.null_labels, dtype=torch.int64, device=self.pos_embed.device)
        return Condition.of_labels(labels.expand(count, -1), self.num_prefix, self.text_dim)

    def embed(self, condition: Condition) -> EmbeddedCondition:
        """Embed labels and phrases, and derive all modulations.

        Args:
            condition: B rows, each label in [0, count]; count is null.

        Returns:
            What `hidden_states` and `predict_scale` take.

        Raises:
            ValueError: if the condition has not the slots and the width of this network's phrases.
        """
        embedding, prefix = self._embedding(condition)
        shared = None
        if self.block_modulation is not None:
            shared = self.block_modulation(F.silu(embedding)).unflatten(1, (6, -1))  # (B, 6, C)
        head = self.head_modulation(F.silu(embedding)).unflatten(1, (2, -1))
        head_scale, head_shift = head.unsqueeze(1).unbind(2)  # (B, 1, C) each
        blocks = tuple(block.modulation_of(embedding, shared) for block in self.each_block())
        return EmbeddedCondition(embedding, blocks, head_scale, head_shift, prefix)

    def each_block(self) -> Sequence[AdaptiveBlock]:
        """The blocks, first to last."""
        return cast("Sequence[AdaptiveBlock]", self.blocks)

    def _embedding(self, condition: Condition) -> tuple[Tensor, Tensor | None]:
        """Summed label embeddings and mean phrase, (B, C), and the phrases as tokens (B, P, C)."""
        slots = self.num_prefix, self.text_dim
        if condition.phrases.shape[1:] != slots:
            raise ValueError(
                f"this network takes {slots[0]} phrases of width {slots[1]}, "
                f"got {tuple(condition.phrases.shape[1:])}"
            )
        embedding = self.pos_embed.new_zeros(len(condition), self.pos_embed.shape[2])
        for embed, column in zip(self.label_embeds, condition.labels.unbind(1), strict=True):
            embedding = embedding + embed(column)
        if self.prompt is None:
            return embedding, None
        prefix, mean = self.prompt(condition)
        return embedding + mean, prefix
