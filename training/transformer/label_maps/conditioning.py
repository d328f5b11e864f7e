"""Conditioning of networks with label maps: a coarse label, a fine one that implies it, a style.

Nothing outside this folder knows these labels, except `choose_conditioning` and the settings.
"""

import torch
from torch import Tensor

from training.data.picture_source import PictureSource
from training.data.prepared_pictures import PreparedPictures
from training.data.token_cache import CachedTokens
from training.data.token_source import TokenBatch, TokenSource
from training.loop.picture_random import PictureRandom
from training.transformer.conditioning import TrainCondition
from training.transformer.label_maps.settings import LabelMapSettings
from training.transformer.label_maps.start import (
    init_label_embeddings,
    init_label_maps,
    own_rows,
    unique_pairs,
)
from var_core.condition import Condition
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

COARSE, FINE, STYLE = range(3)  # columns of the labels
ATTRIBUTES = ["category", "emoji", "style"]


def has_label_maps(pictures: PictureSource) -> bool:
    """Whether pictures have the labels that label maps are made of, and are stored pictures."""
    names = [attribute["name"] for attribute in pictures.label_names["attributes"]]
    return isinstance(pictures, PreparedPictures) and names == ATTRIBUTES


class LabelMapConditioning:
    """Labels of a prepared set with categories, things and styles.

    Args:
        pictures: the set.
        settings: settings of the label maps.
        drop_all: chance of no label at all.
    """

    tables: tuple[str, ...] = ("label_embeds", "label_maps.codes")
    open_column: int = FINE

    def __init__(
        self, pictures: PreparedPictures, settings: LabelMapSettings, drop_all: float
    ) -> None:
        self.pictures = pictures
        self.settings = settings
        self.drop_all = drop_all
        counts = [len(entry["values"]) for entry in pictures.label_names["attributes"]]
        self.null_labels = torch.tensor(counts, dtype=torch.int64)
        self.own_rows: Tensor | None = None

    def network_settings(self) -> dict[str, int]:
        """Rank and number of pairs of the label maps."""
        settings = {"label_map_rank": self.settings.label_map_rank}
        if self.settings.label_map_rank and self.settings.label_pairs:
            train = torch.as_tensor(self.pictures.data.splits["train"])
            settings["label_pairs"] = len(unique_pairs(self.pictures.labels[train]))
        return settings

    def start(
        self, transformer: VARTransformer, tokenizer: MultiScaleVQVAE, tokens: TokenSource
    ) -> None:
        """Let label tables and label maps start from what the pictures of a label look like."""
        assert isinstance(tokens, CachedTokens)  # as for all prepared sets
        latents, labels = tokens.train_latents()
        std = self.settings.label_std
        init_label_embeddings(transformer, latents, labels, COARSE, FINE, std)
        if transformer.label_maps is not None:
            codes = tokenizer.quantizer.code_vectors().cpu()
            init_label_maps(transformer, codes, latents, labels, COARSE, FINE)

    def attach(self, transformer: VARTransformer) -> None:
        """Take note of which pairs of labels have a code of their own."""
        maps = transformer.label_maps
        self.own_rows = None if maps is None or not maps.num_pairs else own_rows(maps).cpu()

    def condition(self, batch: TokenBatch, random: PictureRandom) -> TrainCondition:
        """Leave labels open at random, and borrow codes of other styles at random."""
        labels = drop_implied_labels(
            batch.labels, self.null_labels, self.settings, self.drop_all, random
        )
        if self.own_rows is None:
            return TrainCondition(Condition.of_labels(labels))
        rows = borrow_rows(self.own_rows, labels, self.settings.borrow, random)
        return TrainCondition(Condition.of_labels(labels), rows)

    def asked(self, labels: Tensor, captions: Tensor | None) -> Condition:
        """All labels."""
        return Condition.of_labels(labels)


def drop_implied_labels(
    labels: Tensor,
    null_labels: Tensor,
    settings: LabelMapSettings,
    drop_all: float,
    random: PictureRandom,
) -> Tensor:
    """Leave attributes open at random, so that each may be left open when drawing.

    Args:
        labels: (B, 3) int64: coarse, fine, style.
        null_labels: (3,) int64.
        settings: chances of each attribute.
        drop_all: chance of no label at all.
        random: random numbers of the pictures.

    Returns:
        (B, 3); a coarse label is never dropped where its fine one stays, which implies it.
    """
    chance = random.uniform(4).unbind(1)
    is_dropped = torch.zeros_like(labels, dtype=torch.bool)
    is_dropped[:, FINE] = chance[0] < settings.drop_fine
    is_dropped[:, COARSE] = is_dropped[:, FINE] & (chance[1] < settings.drop_coarse)
    is_dropped[:, STYLE] = chance[2] < settings.drop_style
    is_dropped |= (chance[3] < drop_all).unsqueeze(1)
    return torch.where(is_dropped, null_labels, labels)


def borrow_rows(own: Tensor, labels: Tensor, chance: float, random: PictureRandom) -> Tensor:
    """Rows of the pair codes to train with, some borrowed from the same thing in another style.

    Args:
        own: (fine labels + 1, styles) int64, row of every pair; the largest value where there is
            none.
        labels: (B, 3) int64, as shown to the network.
        chance: chance of borrowing, where another style is known.
        random: random numbers of the pictures.

    Returns:
        (B,) int64; the null row (the largest value) where the fine label is dropped.
    """
    null = int(own.max())
    rows = own[labels[:, FINE]]  # (B, styles)
    score = random.uniform(rows.shape[1])
    score[rows == null] = -1.0
    borrows = random.uniform(1) < chance
    is_own = torch.arange(rows.shape[1]) == labels[:, STYLE : STYLE + 1]
    score = torch.where(is_own & (rows < null), torch.where(borrows, -0.5, 2.0), score)
    picked = score.argmax(dim=1, keepdim=True)
    return rows.gather(1, picked).squeeze(1)
