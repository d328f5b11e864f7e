"""The condition of the transformer: tensors of label numbers and of phrase vectors.

`wishes.py` makes it of the names and words that people give.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Condition:
    """Labels and phrases of B pictures, one row each.

    Attributes:
        labels: (B, A) int64, one column per attribute; the null index leaves it open.
        phrases: (B, P, E) float32 vectors of phrases, P slots a row. Their order has no meaning.
            P and E are 0 for models without text.
        is_given: (B, P) bool, the slots that hold a phrase. What is in the others has no meaning.

    Raises:
        ValueError: on construction, if the shapes do not fit each other.
    """

    labels: Tensor
    phrases: Tensor
    is_given: Tensor

    def __post_init__(self) -> None:
        found = tuple(self.labels.shape), tuple(self.phrases.shape), tuple(self.is_given.shape)
        if [len(shape) for shape in found] != [2, 3, 2] or found[1][:2] != found[2]:
            raise ValueError(
                "a condition holds labels (B, A), phrases (B, P, E) and is_given (B, P), "
                f"got {found[0]}, {found[1]} and {found[2]}"
            )
        if found[0][0] != found[1][0]:
            raise ValueError(f"there are {found[0][0]} rows of labels, {found[1][0]} of phrases")

    @classmethod
    def of_labels(cls, labels: Tensor, num_slots: int = 0, text_dim: int = 0) -> "Condition":
        """Labels (B, A) int64 alone: all slots for phrases stay empty."""
        return cls(
            labels,
            labels.new_zeros((len(labels), num_slots, text_dim), dtype=torch.float32),
            labels.new_zeros((len(labels), num_slots), dtype=torch.bool),
        )

    def __len__(self) -> int:
        """B, the number of rows."""
        return self.labels.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.labels.device

    def rows(self, index: slice | Tensor) -> "Condition":
        """Some of the rows: a slice, or (N,) indices or (B,) booleans."""
        return Condition(self.labels[index], self.phrases[index], self.is_given[index])

    def expand(self, count: int) -> "Condition":
        """A single row as `count` rows that share its memory."""
        return Condition(
            self.labels.expand(count, -1),
            self.phrases.expand(count, -1, -1),
            self.is_given.expand(count, -1),
        )

    def chunk(self, count: int) -> "list[Condition]":
        """The rows in equal parts, at most `count`, as of `Tensor.chunk`."""
        size = -(-len(self) // count)
        return [self.rows(slice(start, start + size)) for start in range(0, len(self), size)]

    def to(self, device: torch.device | str) -> "Condition":
        """The same condition on another device."""
        return Condition(self.labels.to(device), self.phrases.to(device), self.is_given.to(device))

    def is_same(self, other: "Condition") -> Tensor:
        """Which rows ask for the same as those of another condition: (B,) bool.

        Phrases are compared slot by slot: another order counts as another condition.
        """
        labels = (self.labels == other.labels).all(dim=1)
        slots = (self.is_given == other.is_given).all(dim=1)
        unequal = (self.phrases != other.phrases).any(dim=2) & self.is_given
        return labels & slots & ~unequal.any(dim=1)


def join_conditions(parts: Sequence[Condition]) -> Condition:
    """All rows of some conditions, one after another."""
    return Condition(
        torch.cat([part.labels for part in parts]),
        torch.cat([part.phrases for part in parts]),
        torch.cat([part.is_given for part in parts]),
    )
