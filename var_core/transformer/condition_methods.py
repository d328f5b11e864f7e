"""From a condition to all that the network derives of it before it sees a token."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.condition import Condition
from var_core.packing import Linear
from var_core.scales import ScaleSchedule
from var_core.transformer.blocks import AdaptiveBlock
from var_core.transformer.embedded_condition import EmbeddedCondition
from var_core.transformer.label_maps import LabelMaps
from var_core.transformer.prompt import PromptEmbedding


class ConditionMethods:
    """Embedding labels and phrases: part of `VARTransformer`, which owns the weights.

    Attributes:
        label_counts: number of values of each label attribute.
        text_dim: width of a phrase vector (E); 0 without text.
        num_prefix: tokens of phrases at the front of the sequence (P); 0 without text.
    """

    schedule: ScaleSchedule
    label_counts: tuple[int, ...]
    text_dim: int
    num_prefix: int
    label_embeds: nn.ModuleList
    label_maps: LabelMaps | None
    prompt: PromptEmbedding | None
    pos_embed: nn.Parameter
    scale_embed: nn.Embedding
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

    def embed(self, condition: Condition, rows: Tensor | None = None) -> EmbeddedCondition:
        """Embed labels and phrases, and derive all modulations.

        Args:
            condition: B rows, each label in [0, count]; count is null.
            rows: (B,) int64, pair codes to use instead of those of the labels (see `LabelMaps`).

        Returns:
            What `hidden_states` and `predict_scale` take.

        Raises:
            ValueError: if the condition has not the slots and the width of this network's phrases.
        """
        labels = condition.labels
        embedding, prefix = self._embedding(condition)
        places = self._places()
        expected = trust = None
        if self.label_maps is not None:
            if self.label_maps.num_pairs:
                rows = self.label_maps.rows(labels) if rows is None else rows
                embedding = embedding + self.label_maps.source_embed(self.label_maps.sources(rows))
            expected = self.label_maps(labels, rows)
            trust = self.label_maps.trust(labels, rows)
            places = places + self.label_maps.proj(expected)
        shared = None
        if self.block_modulation is not None:
            shared = self.block_modulation(F.silu(embedding)).unflatten(1, (6, -1))  # (B, 6, C)
        head = self.head_modulation(F.silu(embedding)).unflatten(1, (2, -1))
        head_scale, head_shift = head.unsqueeze(1).unbind(2)  # (B, 1, C) each
        blocks = tuple(block.modulation_of(embedding, shared) for block in self.each_block())
        parts = blocks, head_scale, head_shift, places, prefix, expected, trust
        return EmbeddedCondition(embedding, *parts)

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

    def _places(self) -> Tensor:
        """Position and scale embedding of every token, (1, L, C)."""
        counts = torch.tensor(self.schedule.sizes)
        counts = counts.to(self.pos_embed.device)
        return self.pos_embed + self.scale_embed.weight.repeat_interleave(
            counts, dim=0, output_size=self.schedule.num_tokens
        )
