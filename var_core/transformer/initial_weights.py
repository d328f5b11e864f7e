"""Weights to start training a transformer from."""

import math

import torch
from torch import Generator, Tensor, nn

from var_core.transformer.model import VARTransformer


@torch.no_grad()
def init_weights(
    transformer: VARTransformer,
    generator: Generator,
    head_factor: float = 0.02,
    modulation_factor: float = 0.5,
    gate_factor: float = 1e-3,
) -> None:
    """Initialise in place, as published for VAR (arXiv 2404.02905, appendix).

    Linear and embedding weights are normal with variance 1 / (3 C), cut at two deviations; output
    projections shrink with depth, gates start near zero, so that every block starts as identity.

    Args:
        transformer: the network, float32 on the CPU.
        generator: source of randomness.
        head_factor: factor on the head, so that training starts at the uniform distribution.
        modulation_factor: factor on norm scales and shifts.
        gate_factor: factor on gates.
    """
    width, depth = transformer.config["width"], transformer.config["depth"]
    std = math.sqrt(1 / (3 * width))

    def normal_(parameter: Tensor) -> None:
        # its limits are values, not deviations
        nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std, generator=generator)

    for module in transformer.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            normal_(module.weight)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
    normal_(transformer.start_embed)
    normal_(transformer.pos_embed)
    transformer.head.weight.mul_(head_factor)
    transformer.head_modulation.weight.mul_(modulation_factor)
    for block in transformer.each_block():
        block.attention.proj.weight.div_(math.sqrt(2 * depth))
        block.mlp.fc2.weight.div_(math.sqrt(2 * depth))
        if block.modulation is None:
            parts = block.modulation_offset
            assert parts is not None
            nn.init.normal_(parts, std=1 / math.sqrt(width), generator=generator)
            parts[:, :2].mul_(gate_factor)
            parts[:, 2:].mul_(modulation_factor)
        else:
            weight = block.modulation.weight.unflatten(0, (6, width))
            weight[:2].mul_(gate_factor)
            weight[2:].mul_(modulation_factor)
    if transformer.prompt is not None:
        normal_(transformer.prompt.null_token)
        normal_(transformer.prompt.prefix_embed)
