"""What an optimizer remembers, as named tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from training.loop.sharding import spread_like


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state of an AdamW-like optimizer as named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, entries in state.items()
        for name, value in entries.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned; tensors of sharded weights are given whole.

    Raises:
        ValueError: if they are those of other weights.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise ValueError(f"the optimizer has no weight for {key!r:.60}")
        like = parameters[int(index)]
        if value.ndim and value.shape != like.shape:
            shapes = (tuple(value.shape), tuple(like.shape))
            raise ValueError(f"{key} of the optimizer has shape {shapes[0]} instead of {shapes[1]}")
        state.setdefault(int(index), {})[name] = spread_like(value, like)
    _check_names(optimizer, state)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _check_names(optimizer: Optimizer, state: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Refuse a state that has more names for some weights of a kind than for others."""
    kinds = [
        bool(group.get("orthogonal")) for group in optimizer.param_groups for _ in group["params"]
    ]
    for kind in set(kinds):
        names = {frozenset(entries) for index, entries in state.items() if kinds[index] == kind}
        if len(names) > 1 or any(("momentum" in found) != kind for found in names):
            raise ValueError("the optimizer remembers other things of some weights than of others")


def optimizer_layouts(optimizer: Optimizer) -> dict[str, Tensor]:
    """Tensors that are spread over the processes as the state of an AdamW-like optimizer is."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    names = ("exp_avg", "exp_avg_sq")
    return {f"{index}.{name}": p for index, p in enumerate(parameters) for name in names}
