"""Tensors that may be sharded over processes, and their whole."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def gather(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors from sharded or whole ones; all processes call it."""
    return {
        name: value.full_tensor() if isinstance(value, DTensor) else value
        for name, value in tensors.items()
    }


def spread_like(value: Tensor, like: Tensor) -> Tensor:
    """Shard a whole tensor like another one of its shape; unchanged if that one is whole."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    if isinstance(value, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def own_part(value: Tensor) -> Tensor:
    """What this process has of a tensor: all of it, where that is not sharded."""
    return value.to_local() if isinstance(value, DTensor) else value


def whole_norm(parameters: list[nn.Parameter], limit: float) -> Tensor:
    """Clip gradients to a norm over all processes, 0: none; returns the norm before clipping."""
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit or math.inf)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
