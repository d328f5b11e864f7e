"""What the network is told about a training picture: its labels, some of them left open."""

from typing import Protocol

import torch
from torch import Tensor

from training.data.token_source import TokenBatch
from training.loop.picture_random import PictureRandom
from var_core.condition import Condition
from var_core.transformer import VARTransformer


class Conditioning(Protocol):
    """How the labels of a data set reach the network."""

    def network_settings(self) -> dict[str, int]:
        """Settings of `VARTransformer` that depend on the labels, beside their counts."""
        ...

    def start(self, transformer: VARTransformer) -> None:
        """Set what the network starts from, in place, after its usual initialisation."""
        ...

    def attach(self, transformer: VARTransformer) -> None:
        """Take note of the network as training starts; before the first `condition`."""
        ...

    def condition(self, batch: TokenBatch, random: PictureRandom) -> Condition:
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

    def __init__(self, label_counts: list[int], drop_all: float, drop_each: float) -> None:
        self.null_labels = torch.tensor(label_counts, dtype=torch.int64)
        self.drop_all = drop_all
        self.drop_each = drop_each

    def network_settings(self) -> dict[str, int]:
        """No settings of its own."""
        return {}

    def start(self, transformer: VARTransformer) -> None:
        """The usual initialisation is all."""

    def attach(self, transformer: VARTransformer) -> None:
        """The network is not needed."""

    def condition(self, batch: TokenBatch, random: PictureRandom) -> Condition:
        """Leave attributes open at random."""
        labels = drop_labels(batch.labels, self.null_labels, self.drop_all, self.drop_each, random)
        return Condition.of_labels(labels)

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
