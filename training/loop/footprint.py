"""How large a run is, told before it starts: parameters exactly, memory as an estimate."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from training.loop.command_line import Settings


@dataclass(frozen=True)
class Footprint:
    """Size of a run.

    Attributes:
        parameters: how many each part of the network has.
        memory: bytes by what they are for, per process.
    """

    parameters: Mapping[str, int]
    memory: Mapping[str, int]

    def describe(self, settings: Settings) -> str:
        """Settings, parameters and memory as lines to print."""
        lines = ["settings"]
        lines += [f"  {name}: {value}" for name, value in asdict(settings).items()]
        lines.append(f"parameters: {sum(self.parameters.values()):,}")
        lines += [f"  {name}: {count:,}" for name, count in self.parameters.items() if count]
        total = sum(self.memory.values())
        lines.append(f"memory per process, about {total / 2**20:,.0f} MiB")
        lines += [f"  {name}: {size / 2**20:,.0f} MiB" for name, size in self.memory.items()]
        return "\n".join(lines)


def count_parameters(network: nn.Module, trained: bool = False) -> int:
    """How many numbers a network holds, or of these how many are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trained)


def saved_bytes(forward: Callable[[], Tensor], network: nn.Module) -> int:
    """Bytes that a forward pass keeps for its gradient, without what a compiler would spare.

    Args:
        forward: runs the network on the meta device, so that nothing is computed.
        network: its weights are not counted.
    """
    weights = {value.untyped_storage()._cdata for value in network.state_dict().values()}
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        if value.untyped_storage()._cdata not in weights:
            kept[value.untyped_storage()._cdata] = value  # held, so that no address comes twice
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        forward()
    return sum(value.untyped_storage().nbytes() for value in kept.values())
