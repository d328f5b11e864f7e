"""Tensors that may be spread over processes: whole for checkpoints, spread again on resume."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def gather(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors of what may be spread over processes; all of them call it."""
    return {
        name: value.full_tensor() if isinstance(value, DTensor) else value
        for name, value in tensors.items()
    }


def spread_like(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor laid out as another one of its shape is; unchanged where that is whole."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def whole_norm(parameters: list[nn.Parameter], limit: float) -> Tensor:
    """Clip gradients to a norm, that of all processes together; returns it before clipping."""
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
