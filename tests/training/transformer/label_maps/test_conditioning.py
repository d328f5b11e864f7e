"""Labels are left open and codes borrowed as often as asked."""

import torch

from tests.training.tiny import random_of
from training.loop.checkpoint import step_generator
from training.transformer.label_maps.conditioning import borrow_rows, drop_implied_labels
from training.transformer.label_maps.settings import LabelMapSettings
from training.transformer.label_maps.start import init_label_maps, own_rows
from var_core.transformer import VARTransformer

LABELS = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 2, 1]])  # category, emoji, style


def pair_transformer() -> tuple[VARTransformer, torch.Tensor]:
    """A tiny network whose label maps come from four pictures, and their latents."""
    latents = torch.randn(4, 2 * 2 * 2, generator=step_generator(0, 0))
    transformer = VARTransformer([1, 2], 16, 2, [2, 3, 2], 1, 8, 2, label_map_rank=6, label_pairs=4)
    init_label_maps(transformer, torch.zeros(16, 2), latents, LABELS, 0, 1)
    return transformer, latents


def test_training_borrows_as_often_as_asked() -> None:
    transformer, _ = pair_transformer()
    own = own_rows(transformer.label_maps)
    labels = torch.tensor([[0, 0, 0], [0, 1, 0], [0, 3, 0]]).repeat(1000, 1)
    rows = borrow_rows(own, labels, 0.3, random_of(len(labels))).view(1000, 3)
    assert 0.25 < (rows[:, 0] == 1).float().mean() < 0.35  # style 1 of emoji 0
    assert (rows[:, 0] < 2).all()
    assert (rows[:, 1] == 2).all()  # nothing to borrow
    assert (rows[:, 2] == 4).all()  # dropped emoji


def test_labels_are_dropped_but_never_a_category_beside_its_emoji() -> None:
    settings = LabelMapSettings(drop_fine=0.2, drop_style=0.15)
    labels = torch.zeros(4000, 3, dtype=torch.int64)
    null = torch.tensor([2, 4, 5])
    dropped = drop_implied_labels(labels, null, settings, 0.1, random_of(len(labels))) == null
    category, emoji, style = dropped.unbind(1)
    assert not (category & ~emoji).any()
    everything = dropped.all(dim=1).float().mean()
    assert 0.08 < everything < 0.13
    assert 0.24 < emoji.float().mean() < 0.32
    assert 0.19 < style.float().mean() < 0.28
    assert (emoji & ~category & ~style).any()
