"""What the network is told about a training picture: its labels, some of them left open."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from training.data.token_source import TokenBatch, TokenSource
from training.loop.picture_random import PictureRandom
from var_core.condition import Condition
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer


@dataclass(frozen=True)
class TrainCondition:
    """The condition of a training batch.

    Attributes:
        asked: B rows; the null label where an attribute is left open.
        rows: (B,) int64, codes of label pairs; None without label maps.
    """

    asked: Condition
    rows: Tensor | None = None

    def to(self, device: torch.device) -> "TrainCondition":
        """The same condition on a device."""
        rows = None if self.rows is None else self.rows.to(device)
        return TrainCondition(self.asked.to(device), rows)

    def chunk(self, count: int) -> "list[TrainCondition]":
        """Equal parts of the batch, at most `count`."""
        size = -(-len(self.asked) // count)
        parts = [slice(start, start + size) for start in range(0, len(self.asked), size)]
        return [
            TrainCondition(self.asked.rows(part), None if self.rows is None else self.rows[part])
            for part in parts
        ]


class Conditioning(Protocol):
    """How the labels of a data set reach the network."""

    tables: tuple[str, ...]  # parts of the names of parameters that learn as label tables
    open_column: int  # attribute that is left open in the last row of the sheets

    def network_settings(self) -> dict[str, int]:
        """Settings of `VARTransformer` that depend on the labels, beside their counts."""
        ...

    def start(
        self, transformer: VARTransformer, tokenizer: MultiScaleVQVAE, tokens: TokenSource
    ) -> None:
        """Set what the network starts from, in place, after its usual initialisation."""
        ...

    def attach(self, transformer: VARTransformer) -> None:
        """Take note of the network as training starts; before the first `condition`."""
        ...

    def condition(self, batch: TokenBatch, random: PictureRandom) -> TrainCondition:
        """What the network is told about a batch; some of it is left open at random."""
        ...

    def asked(self, labels: Tensor, captions: Tensor | None) -> Condition:
        """Everything that is known about some pictures; on the CPU.

        Args:
            labels: (B, A) int64.
            captions: (B, P) int64 ids of phrases; None for pictures with labels alone.
        """
        ...


class LabelConditioning:
    """Any labels: each attribute is left open at random, alone and together with all others.

    Args:
        label_counts: number of values of each attribute.
        drop_all: chance of no label at all.
        drop_each: chance of each label alone, where there are several.
    """

    tables: tuple[str, ...] = ("label_embeds",)
    open_column: int = -1

    def __init__(self, label_counts: list[int], drop_all: float, drop_each: float) -> None:
        self.null_labels = torch.tensor(label_counts, dtype=torch.int64)
        self.drop_all = drop_all
        self.drop_each = drop_each

    def network_settings(self) -> dict[str, int]:
        """No settings of its own."""
        return {}

    def start(
        self, transformer: VARTransformer, tokenizer: MultiScaleVQVAE, tokens: TokenSource
    ) -> None:
        """The usual initialisation is all."""

    def attach(self, transformer: VARTransformer) -> None:
        """The network is not needed."""

    def condition(self, batch: TokenBatch, random: PictureRandom) -> TrainCondition:
        """Leave attributes open at random."""
        labels = drop_labels(batch.labels, self.null_labels, self.drop_all, self.drop_each, random)
        return TrainCondition(Condition.of_labels(labels))

    def asked(self, labels: Tensor, captions: Tensor | None) -> Condition:
        """All labels."""
        return Condition.of_labels(labels)


def drop_labels(
    labels: Tensor, null_labels: Tensor, drop_all: float, drop_each: float, random: PictureRandom
) -> Tensor:
    """Leave attributes open at random, each alone and all together.

    Args:
        labels: (B, A) int64; no attribute implies another.
        null_labels: (A,) int64.
        drop_all: chance of no label at all.
        drop_each: chance of each label alone, where there are several.
        random: random numbers of the pictures.

    Returns:
        (B, A) int64.
    """
    chance = random.uniform(len(null_labels) + 1)
    is_dropped = chance[:, 1:] < (drop_each if len(null_labels) > 1 else 0.0)
    is_dropped |= chance[:, :1] < drop_all
    return torch.where(is_dropped, null_labels, labels)
