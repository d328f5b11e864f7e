"""Layers that can run again for their gradient instead of keeping what they computed."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Rerun(nn.Module):
    """A module whose parts run again for their gradient where `enable_gradient_checkpointing` asks.

    Attributes:
        gradient_checkpointing: whether they do; set by diffusers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gradient_checkpointing = False

    def run(self, part: nn.Module, maps: Tensor) -> Tensor:
        """Maps through a part of this module."""
        if self.gradient_checkpointing and torch.is_grad_enabled():
            # not through the function of diffusers, which compilers cannot follow
            return cast(Tensor, checkpoint(part, maps, use_reentrant=False))
        return part(maps)
