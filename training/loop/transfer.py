"""Copies to a device that nothing waits for."""

import torch
from torch import Tensor


def pinned(tensor: Tensor) -> Tensor:
    """A tensor where a GPU fetches it fast; one that is on a GPU stays there."""
    return tensor if tensor.is_cuda else tensor.pin_memory()


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; a GPU goes on with what it does meanwhile.

    An ordinary copy to a GPU waits until all earlier work there is done, so that nothing can be
    prepared for it.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
