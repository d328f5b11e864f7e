"""Label maps start as the pictures of their labels."""

import torch

from training.loop.checkpoint import step_generator
from training.transformer.label_maps.start import init_label_maps
from var_core.transformer import VARTransformer

LABELS = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 2, 1]])  # category, emoji, style


def pair_transformer() -> tuple[VARTransformer, torch.Tensor]:
    """A tiny network whose label maps come from four pictures, and their latents."""
    latents = torch.randn(4, 2 * 2 * 2, generator=step_generator(0, 0))
    transformer = VARTransformer([1, 2], 16, 2, [2, 3, 2], 1, 8, 2, label_map_rank=6, label_pairs=4)
    init_label_maps(transformer, torch.zeros(16, 2), latents, LABELS, 0, 1)
    return transformer, latents


def test_the_map_of_a_trained_pair_starts_as_its_picture() -> None:
    transformer, latents = pair_transformer()
    maps = transformer.label_maps
    with torch.inference_mode():
        expected = maps(LABELS, maps.rows(LABELS))
        nothing = maps(torch.tensor([[2, 3, 2]]), torch.tensor([4]))
    places = latents.view(4, 2, 4).transpose(1, 2)  # (pictures, N, D)
    torch.testing.assert_close(expected[:, 1:], places)
    torch.testing.assert_close(expected[:, 0], places.mean(dim=1))
    torch.testing.assert_close(nothing[0, 1:], places.mean(dim=0))


def test_a_pair_without_picture_borrows_from_its_emoji() -> None:
    transformer, _ = pair_transformer()
    maps = transformer.label_maps
    asked = torch.tensor([[0, 1, 1], [1, 2, 0], [0, 0, 1], [0, 3, 1]])
    rows = maps.rows(asked)
    assert maps.pairs[rows[:3], 0].tolist() == [1, 2, 0]
    assert rows[3] == 4  # an open emoji has no code
    assert maps.sources(rows).tolist() == [0, 1, 1, 2]
