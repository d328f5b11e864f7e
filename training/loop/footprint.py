"""Size of a run before it starts: parameters exactly, memory as an estimate."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from training.loop.command_line import Settings


@dataclass(frozen=True)
class Footprint:
    """Size of a run.

    Attributes:
        parameters: number of parameters of each part of the network.
        memory: bytes per process, by purpose.
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
    """Number of parameters of a network, all or only the trained ones."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trained)


def saved_bytes(forward: Callable[[], Tensor], network: nn.Module) -> int:
    """Bytes that a forward pass keeps for its gradient; a compiler may need less.

    Args:
        forward: function that runs the network on the meta device, where nothing is computed.
        network: network whose weights are not counted.
    """
    weights = {value.untyped_storage()._cdata for value in network.state_dict().values()}
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        if value.untyped_storage()._cdata not in weights:
            kept[value.untyped_storage()._cdata] = value  # so that no address is used twice
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        forward()
    return sum(value.untyped_storage().nbytes() for value in kept.values())
