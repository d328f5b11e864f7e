"""Conditioning of networks with text: the phrases that are said of a picture, and its labels."""

import torch
from torch import Tensor

from training.data.token_source import TokenBatch
from training.loop.picture_random import PictureRandom
from training.loop.transfer import sent
from var_core.condition import Condition
from var_core.transformer import VARTransformer

PHRASE_GAIN = 12.0  # on the first weights, so that a phrase is as large a token as a label


class PromptConditioning:
    """Phrases and labels, some of them left open at random, and all of them together.

    Args:
        vectors: (n, E) vectors of all phrases; row i is the phrase with the id i.
        label_counts: number of values of each attribute.
        num_slots: phrases that a prompt may have (P).
        drop_all: chance of neither phrases nor labels.
        drop_each: chance of each phrase and of each label alone.
    """

    def __init__(
        self,
        vectors: Tensor,
        label_counts: list[int],
        num_slots: int,
        drop_all: float,
        drop_each: float,
    ) -> None:
        self.vectors = vectors
        self.null_labels = torch.tensor(label_counts, dtype=torch.int64)
        self.num_slots = num_slots
        self.drop_all = drop_all
        self.drop_each = drop_each

    def network_settings(self) -> dict[str, int]:
        """Width and number of the phrases."""
        return {"text_dim": self.vectors.shape[1], "max_phrases": self.num_slots}

    def start(self, transformer: VARTransformer) -> None:
        """Make phrases heard from the first step on: their vectors have length 1 only."""
        assert transformer.prompt is not None  # as `network_settings` asks for
        with torch.no_grad():
            transformer.prompt.proj.weight.mul_(PHRASE_GAIN)

    def attach(self, transformer: VARTransformer) -> None:
        """Keep the vectors where the network is: those of a large batch take long to copy."""
        self.vectors = self.vectors.to(transformer.device)

    def condition(self, batch: TokenBatch, random: PictureRandom) -> Condition:
        """Leave phrases and labels open at random."""
        assert batch.captions is not None  # as of all pictures with phrases
        num_labels = batch.labels.shape[1]
        chance = random.uniform(1 + num_labels + batch.captions.shape[1])
        asks_nothing = chance[:, :1] < self.drop_all
        is_open = asks_nothing | (chance[:, 1:] < self.drop_each)
        labels = torch.where(is_open[:, :num_labels], self.null_labels, batch.labels)
        captions = torch.where(is_open[:, num_labels:], -1, batch.captions)
        return self.asked(labels, captions)

    def asked(self, labels: Tensor, captions: Tensor | None) -> Condition:
        """All labels and phrases."""
        assert captions is not None
        slots = torch.full((len(captions), self.num_slots), -1)
        slots[:, : captions.shape[1]] = captions[:, : self.num_slots]
        device = self.vectors.device
        slots = sent(slots, device)
        is_given = slots >= 0
        phrases = self.vectors[slots.clamp(min=0)].float() * is_given.unsqueeze(2)
        return Condition(sent(labels, device), phrases, is_given)
