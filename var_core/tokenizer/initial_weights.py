"""Weights to start training a tokenizer from."""

import torch
from torch import Generator, nn

from var_core.tokenizer.autoencoder import ResidualBlock
from var_core.tokenizer.inflation import init_time
from var_core.tokenizer.vqvae import MultiScaleVQVAE


@torch.no_grad()
def init_tokenizer(tokenizer: MultiScaleVQVAE, generator: Generator, branch: float = 0.3) -> None:
    """Initialise in place: Xavier-normal convolutions, small residual branches, refine = identity.

    Args:
        tokenizer: float32, on the CPU.
        generator: source of randomness.
        branch: factor on the last convolution of every residual block.
    """
    for module in tokenizer.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in tokenizer.modules():
        if isinstance(module, ResidualBlock):
            module.conv2.weight.mul_(branch)
    for refine in tokenizer.quantizer.refine.parameters():
        if refine.ndim == 4:  # a kernel
            nn.init.dirac_(refine)
    init_time(tokenizer, generator)
    for module in tokenizer.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=generator)
