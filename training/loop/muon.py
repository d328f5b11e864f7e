"""Muon: steps along orthogonal matrices for hidden layers, AdamW for all other weights.

Sources: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the
length of the steps, with which the learning rates of AdamW fit, from J. Liu et al., "Muon is
scalable for LLM training", arXiv 2502.16982, section 2.2.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from var_core.devices import pick_dtype

MOMENTUM = 0.95
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the odd polynomial that is iterated
STEP_LENGTH = 0.2  # root mean square of an entry of a step, as it is with AdamW


class Muon(torch.optim.AdamW):
    """Fused AdamW whose groups with a true `orthogonal` learn by Muon instead.

    Matrices of one shape are stepped together. A matrix of the group is cut into `parts` of equal
    rows, which are made orthogonal one by one, as queries, keys and values are layers of their own.

    Args:
        groups: parameter groups; those with `orthogonal` hold matrices alone, and may have `parts`.
        betas: those of AdamW.
    """

    found_inf: Tensor  # scalar, 1 where the gradient is not finite; set by `step_if_finite`

    def __init__(self, groups: Sequence[dict[str, Any]], betas: tuple[float, float]) -> None:
        for group in groups:
            group.setdefault("orthogonal", False)
            group.setdefault("parts", 1)
        super().__init__(groups, betas=betas, fused=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state over; AdamW's own way wants a count of steps beside every momentum."""
        torch.optim.Optimizer.__setstate__(self, state)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Do one step; nothing changes where the gradient was found not to be finite."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["orthogonal"]]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if group["orthogonal"]:
                for weights in _by_shape(group["params"]):
                    self._step_matrices(weights, group)

    def _step_matrices(self, weights: Sequence[Tensor], group: dict[str, Any]) -> None:
        found_inf = getattr(self, "found_inf", None)
        gradients = torch.stack([_gradient(weight) for weight in weights])  # (K, R, C)
        kept = [self._momentum(weight) for weight in weights]
        momentum = torch.stack(kept)
        moved = momentum.lerp(gradients, 1 - MOMENTUM)
        count, rows, columns = gradients.shape
        direction = gradients.lerp(moved, MOMENTUM)  # Nesterov's
        direction = direction.view(count * group["parts"], rows // group["parts"], columns)
        size = STEP_LENGTH * max(direction.shape[1:]) ** 0.5
        step = orthogonalize(direction, pick_dtype(direction.device)).view_as(gradients)
        old = torch.stack(list(weights))
        new = old * (1 - group["lr"] * group["weight_decay"]) - group["lr"] * size * step
        if found_inf is not None:
            is_finite = found_inf == 0
            moved, new = moved.where(is_finite, momentum), new.where(is_finite, old)
        torch._foreach_copy_(  # pyright: ignore[reportPrivateImportUsage]  # no public name
            [*kept, *weights], [*moved.unbind(), *new.unbind()]
        )

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        return state["momentum"]


def orthogonalize(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Bring all singular values near 1, keeping the singular vectors.

    Five iterations of Newton and Schulz with coefficients that rise fast: the values end between
    0.7 and 1.2 rather than at 1, which is as good for training.

    Args:
        matrices: (K, R, C) float32.
        dtype: dtype of the products; bfloat16 is as good for training.

    Returns:
        Matrices of the same shape, float32.
    """
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.to(dtype)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if is_tall else x).float()


def _by_shape(weights: Sequence[Tensor]) -> list[list[Tensor]]:
    found: dict[torch.Size, list[Tensor]] = {}
    for weight in weights:
        if weight.grad is not None:
            found.setdefault(weight.shape, []).append(weight)
    return list(found.values())


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None  # `_by_shape` has left out the others
    return weight.grad
