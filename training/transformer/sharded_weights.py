"""Transformer weights spread over processes (FSDP2)."""

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)

from training.transformer.objective import TransformerObjective


class ShardedWeights:
    """Float32 weights of which every process keeps and steps a part.

    The counterpart of `MasterWeights`: where networks are too large for a whole copy per process.

    Args:
        objective: its transformer's blocks, and the rest, are sharded in place.
        processes: how many share the weights.
        dtype: what blocks compute in; other than float32 on CUDA only.
    """

    def __init__(self, objective: TransformerObjective, processes: int, dtype: torch.dtype) -> None:
        transformer = objective.transformer
        mesh = init_device_mesh(transformer.device.type, (processes,))
        policy = MixedPrecisionPolicy()
        if dtype != torch.float32:
            policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
        for block in transformer.blocks:
            fully_shard(block, mesh=mesh, mp_policy=policy)
            register_fsdp_forward_method(block, "modulation_of")
        fully_shard(objective, mesh=mesh, mp_policy=policy)
        self.model = transformer
        self.masters = [p for p in transformer.parameters() if p.requires_grad]

    def take_gradients(self) -> None:
        """Nothing to do: gradients arrive at the weights that the optimiser steps on."""

    def give_weights(self) -> None:
        """Nothing to do: the weights are those that compute."""

    def named(self) -> dict[str, Tensor]:
        """The weights under the model's names."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}
