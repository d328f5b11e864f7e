"""Parts of the tokenizer that stay float32 whatever the rest is cast to."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Exact(nn.Module):
    """A module whose weights must not be rounded: those of sums over scales, and of pixels.

    Moved to a device they move; cast to another floating dtype they are float32.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        def unrounded(tensor: Tensor) -> Tensor:
            made = fn(tensor)
            is_cast = made.is_floating_point() and made.dtype != torch.float32
            return tensor.to(made.device, torch.float32) if is_cast else made

        return super()._apply(unrounded, recurse)


class ExactConv2d(Exact, nn.Conv2d):
    """A convolution that is not rounded."""


def exact_weights(network: nn.Module) -> set[str]:
    """Names of the weights that stay float32, as in the network's state."""
    return {
        f"{name}.{key}"
        for name, part in network.named_modules()
        if isinstance(part, Exact)
        for key in part.state_dict()
    }
