"""Variants of VAR: what they start from, and what they are told."""

from typing import Any

import torch

from training.study.variants import PlainNormTransformer
from var_core.condition import Condition
from var_core.transformer import init_weights

SMALL: dict[str, Any] = {"depth": 2, "width": 16, "num_heads": 2, "shared_modulation": True}


def test_without_adaptive_norm_every_branch_counts_from_the_start() -> None:
    network = PlainNormTransformer(
        sides=(1, 2), vocab_size=8, code_dim=4, label_counts=[2], **SMALL
    )
    init_weights(network, torch.Generator().manual_seed(1))
    network.open_gates()
    with torch.inference_mode():
        blocks = network.embed(Condition.of_labels(torch.tensor([[0], [1]]))).blocks
    for parts in blocks:
        assert torch.equal(parts.attention_gate, torch.ones(2, 1, 16))
        assert torch.equal(parts.mlp_gate, torch.ones(2, 1, 16))
        for part in parts:  # whatever is asked for
            assert torch.equal(part[0], part[1])
