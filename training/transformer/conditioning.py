"""What the network is told about a training picture: its labels, some of them left open."""

from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Generator, Tensor

from training.data.token_source import TokenSource
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer


@dataclass(frozen=True)
class TrainCondition:
    """The condition of a batch.

    Attributes:
        labels: (B, A) int64; the null label where an attribute is left open.
        rows: (B,) int64, codes of label pairs; None without label maps.
    """

    labels: Tensor
    rows: Tensor | None = None

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        rows = None if self.rows is None else self.rows.to(device)
        return type(self)(self.labels.to(device), rows)

    def chunk(self, count: int) -> "list[TrainCondition]":
        """Equal parts of the batch."""
        rows = [None] * count if self.rows is None else self.rows.chunk(count)
        return [
            TrainCondition(labels, part)
            for labels, part in zip(self.labels.chunk(count), rows, strict=True)
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

    def condition(self, labels: Tensor, generator: Generator) -> TrainCondition:
        """The condition of pictures with these labels, (B, A) int64, some of them left open."""
        ...


class LabelConditioning:
    """Any labels: each attribute is left open at random, alone and together with all others.

    Args:
        label_counts: number of values of each attribute.
        drop_all: chance of no label at all.
        drop_each: chance of each label alone, where there are several.
    """

    tables = ("label_embeds",)
    open_column = -1

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

    def condition(self, labels: Tensor, generator: Generator) -> TrainCondition:
        """Leave attributes open at random: (B, A) int64."""
        return TrainCondition(
            drop_labels(labels, self.null_labels, self.drop_all, self.drop_each, generator)
        )


def drop_labels(
    labels: Tensor, null_labels: Tensor, drop_all: float, drop_each: float, generator: Generator
) -> Tensor:
    """Leave attributes open at random, each alone and all together.

    Args:
        labels: (B, A) int64; no attribute implies another.
        null_labels: (A,) int64.
        drop_all: chance of no label at all.
        drop_each: chance of each label alone, where there are several.
        generator: source of randomness.

    Returns:
        (B, A) int64.
    """
    chance = torch.rand(len(labels), len(null_labels) + 1, generator=generator)
    is_dropped = chance[:, 1:] < (drop_each if len(null_labels) > 1 else 0.0)
    is_dropped |= chance[:, :1] < drop_all
    return torch.where(is_dropped, null_labels, labels)
