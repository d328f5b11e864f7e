"""Transformer weights spread over processes (FSDP2)."""

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)

from training.transformer.objective import TransformerObjective


class ShardedWeights:
    """Float32 weights of which every process keeps and updates a part.

    The counterpart of `MasterWeights` for networks too large for a whole copy per process.

    Args:
        objective: objective whose transformer is sharded in place, block by block.
        processes: number of processes that share the weights.
        dtype: dtype that blocks compute in; only float32 on a CPU.
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
        """Do nothing: gradients arrive at the weights that the optimizer updates."""

    def share_gradients(self, accelerator: Accelerator) -> None:
        """Do nothing: every part of a batch is shared as it is done."""

    def give_weights(self) -> None:
        """Do nothing: the network computes with the same weights."""

    def named(self) -> dict[str, Tensor]:
        """The weights under the model's names."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}
