"""Learning-rate schedule, parameter groups and float32 masters of low-precision weights."""

import math
from collections.abc import Iterable
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

SCHEDULES = ("cosine", "linear")
FLAT = 0.05  # part of the run at the peak before a linear schedule falls


def learning_rate_at(
    step: int,
    total_steps: int,
    peak: float,
    warmup_steps: int,
    final_ratio: float,
    schedule: str = "cosine",
) -> float:
    """Learning rate of a step: linear warm-up, then a half cosine, or a flat part and a line.

    Args:
        step: steps done.
        total_steps: steps of the run.
        peak: highest rate.
        warmup_steps: steps until the peak.
        final_ratio: rate at the end over the peak.
        schedule: "cosine" or "linear".

    Raises:
        ValueError: if there is no such schedule.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    if schedule == "linear":
        left = min(1.0, (1 - progress) / (1 - FLAT))
    elif schedule == "cosine":
        left = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
    return peak * (final_ratio + (1 - final_ratio) * left)


def weight_decay_at(step: int, total_steps: int, start: float, final: float) -> float:
    """Weight decay of a step: a half cosine from start to final; constant if final is negative."""
    if final < 0:
        return start
    left = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total_steps))))
    return final + (start - final) * left


def parameter_groups(
    parameters: Iterable[tuple[str, nn.Parameter]], weight_decay: float
) -> list[dict]:
    """Two groups: matrices with weight decay; vectors, embeddings and positions without."""
    decayed, plain = [], []
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        is_table = "embed" in name or "codebook" in name
        (plain if parameter.ndim < 2 or is_table else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def step_if_finite(optimizer: Optimizer, norm: Tensor) -> Tensor:
    """Do an optimizer step, or leave it out if the norm of the gradient is not finite.

    The device decides, so that nothing waits for it.

    Args:
        optimizer: fused AdamW, as it is or prepared by Accelerate.
        norm: norm of the gradient, a scalar.

    Returns:
        Whether the step was done, a scalar bool on the device.
    """
    is_finite = norm.isfinite()
    # the way in which fused optimizers hear of infinite gradients from gradient scalers
    bare: Any = getattr(optimizer, "optimizer", optimizer)
    bare.found_inf = (~is_finite).float()
    optimizer.step()
    return is_finite


@torch.no_grad()
def forget_rows(optimizer: Optimizer, table: Tensor, rows: Tensor) -> None:
    """Reset what AdamW remembers of some rows of a table, whose values were replaced."""
    state = optimizer.state.get(table, {})
    for name in ("exp_avg", "exp_avg_sq"):
        if name in state:
            state[name][rows] = 0


class MasterWeights:
    """Float32 copies of low-precision weights, which the optimizer updates.

    Args:
        model: network whose trainable parameters, of any floating dtype, are copied.
    """

    def __init__(self, model: nn.Module) -> None:
        self.names = [name for name, p in model.named_parameters() if p.requires_grad]
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.masters = [nn.Parameter(p.detach().clone().float()) for p in self.weights]

    def take_gradients(self) -> None:
        """Add gradients to those of the masters, in float32, and clear them on the model.

        Summed in low precision, the gradients of many parts would lose the small ones.
        """
        wide: list[Tensor] = []
        narrow: list[Tensor] = []
        for weight, master in zip(self.weights, self.masters, strict=True):
            gradient, weight.grad = weight.grad, None
            if gradient is None:
                continue
            if master.grad is not None:
                master.grad += gradient
            elif gradient.dtype == master.dtype:
                master.grad = gradient
            else:
                master.grad = torch.empty_like(master)
                wide.append(master.grad)
                narrow.append(gradient)
        if wide:  # all at once
            torch._foreach_copy_(wide, narrow)  # pyright: ignore[reportPrivateImportUsage]

    def share_gradients(self, accelerator: Accelerator) -> None:
        """Average the gradients of the masters over all processes."""
        for master in self.masters:
            if master.grad is not None:
                master.grad = cast(Tensor, accelerator.reduce(master.grad, "mean"))

    @torch.no_grad()
    def give_weights(self) -> None:
        """Round the masters into the model."""
        torch._foreach_copy_(  # pyright: ignore[reportPrivateImportUsage]  # no public name
            list[Tensor](self.weights), list[Tensor](self.masters)
        )

    def named(self) -> dict[str, Tensor]:
        """The masters under the model's names."""
        return dict(zip(self.names, self.masters, strict=True))
