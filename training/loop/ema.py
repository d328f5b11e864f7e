"""A running average of weights: what is evaluated and saved as the model."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.loop.sharding import spread_like


class ExponentialAverage:
    """A running average of weights, kept in float32.

    Args:
        model: network whose parameters and floating-point buffers are averaged.
        decay: weight of the past; in the first steps it is (1 + step) / (10 + step) at most.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {
            name: value.detach().clone().float() for name, value in model.state_dict().items()
        }

    @torch.no_grad()
    def update(self, current: Mapping[str, Tensor], step: int) -> None:
        """Move the average towards the current weights, given under the model's names."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]  # no public name
            [self.tensors[name] for name in current],
            [value.float() for value in current.values()],
            1 - decay,
        )

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put values back under their names; the others stay as they are."""
        for name, value in tensors.items():
            self.tensors[name].copy_(spread_like(value, self.tensors[name]))
