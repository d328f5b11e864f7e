"""Training starts from the published distribution of weights."""

import math

import torch

from var_core.transformer import VARTransformer, init_weights


def test_weights_are_cut_at_two_deviations() -> None:
    transformer = VARTransformer(
        sides=(1, 2), vocab_size=16, code_dim=8, label_counts=[4], depth=1, width=64, num_heads=2
    )
    init_weights(transformer, torch.Generator().manual_seed(0))
    std = math.sqrt(1 / (3 * 64))
    weights = transformer.blocks[0].attention.qkv.weight
    assert weights.abs().max() <= 2 * std
    assert 0.85 * std < weights.std() < 0.91 * std  # of a normal one cut there: 0.88
