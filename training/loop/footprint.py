"""Size of a run before it starts: parameters exactly, memory as an estimate."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from training.loop.command_line import Settings

PASSES = 3  # the gradient costs about two forward passes


@dataclass(frozen=True)
class Footprint:
    """Size of a run.

    Attributes:
        parameters: number of parameters of each part of the network.
        memory: bytes per process, by purpose.
        flops: floating-point operations of a step per process, forward and backward.
        disk: bytes in the folder of the run, by purpose.
    """

    parameters: Mapping[str, int]
    memory: Mapping[str, int]
    flops: int
    disk: Mapping[str, int] = field(default_factory=dict)

    def describe(self, settings: Settings) -> str:
        """Settings, parameters and memory as lines to print."""
        lines = ["settings"]
        lines += [f"  {name}: {value}" for name, value in asdict(settings).items()]
        lines.append(f"parameters: {sum(self.parameters.values()):,}")
        lines += [f"  {name}: {count:,}" for name, count in self.parameters.items() if count]
        total = sum(self.memory.values())
        lines.append(f"operations of a step and process: {self.flops / 1e9:,.1f} GFLOP")
        lines.append(f"memory per process, about {total / 2**20:,.0f} MiB")
        lines += [f"  {name}: {size / 2**20:,.0f} MiB" for name, size in self.memory.items()]
        if self.disk:
            lines.append(f"disk, about {sum(self.disk.values()) / 2**20:,.0f} MiB")
            lines += [f"  {name}: {size / 2**20:,.0f} MiB" for name, size in self.disk.items()]
        return "\n".join(lines)


def count_parameters(network: nn.Module, trained: bool = False) -> int:
    """Number of parameters of a network, all or only the trained ones."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trained)


def measure_forward(forward: Callable[[], Tensor], network: nn.Module) -> tuple[int, int]:
    """Bytes that a forward pass keeps for its gradient, and its floating-point operations.

    A compiler may need less memory.

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

    counter = FlopCounterMode(display=False)
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        forward()
    saved = sum(value.untyped_storage().nbytes() for value in kept.values())
    return saved, counter.get_total_flops()
