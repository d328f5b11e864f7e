"""Muon steps along orthogonal matrices, and leaves all other weights to AdamW."""

import copy

import pytest
import torch
from torch import Tensor, nn

from training.loop.muon import COEFFICIENTS, ITERATIONS, Muon, orthogonalize
from training.loop.optim import step_if_finite
from training.loop.optimizer_state import optimizer_tensors, restore_optimizer

BETAS = (0.9, 0.95)


def test_all_singular_values_come_near_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((3, 16, 64), (2, 64, 16), (1, 32, 32)):
        matrices = torch.randn(shape, generator=generator)
        left, _, right = torch.linalg.svd(matrices, full_matrices=False)
        found = orthogonalize(matrices, torch.float32)
        values = torch.linalg.svdvals(found)
        assert 0.3 < values.min() <= values.max() < 1.3
        same = left.mT @ found @ right.mT  # diagonal, as the singular vectors are kept
        torch.testing.assert_close(
            same, torch.diag_embed(same.diagonal(dim1=1, dim2=2)), atol=1e-3, rtol=0
        )


def test_iterations_in_two_products_equal_the_polynomial() -> None:
    a, b, c = COEFFICIENTS
    matrices = torch.randn(2, 8, 24, generator=torch.Generator().manual_seed(0))
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    torch.testing.assert_close(orthogonalize(matrices, torch.float32), x)
    torch.testing.assert_close(orthogonalize(matrices.mT, torch.float32), x.mT)
    found = orthogonalize(matrices, torch.bfloat16)
    assert (found - x).norm() < 0.03 * x.norm()


def new_optimizer(weights: list[nn.Parameter], vector: nn.Parameter) -> Muon:
    groups = [
        {"params": weights[:-1], "orthogonal": True},
        {"params": weights[-1:], "orthogonal": True, "parts": 3},
        {"params": [vector]},
    ]
    optimizer = Muon(groups, BETAS)
    for group in optimizer.param_groups:
        group["lr"], group["weight_decay"] = 0.01, 0.1
    return optimizer


def new_weights() -> tuple[list[nn.Parameter], nn.Parameter]:
    torch.manual_seed(1)
    weights = [nn.Parameter(torch.randn(8, 16)) for _ in range(3)]
    return [*weights, nn.Parameter(torch.randn(24, 8))], nn.Parameter(torch.randn(8))


def set_gradients(weights: list[nn.Parameter], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator)
    return torch.ones(())


def test_matrices_stepped_together_equal_those_stepped_alone() -> None:
    """Also three layers in one matrix, which equal three matrices; vectors equal those of AdamW."""
    weights, vector = new_weights()
    alone = [nn.Parameter(part.detach().clone()) for part in (*weights[:3], *weights[3].chunk(3))]
    plain = nn.Parameter(vector.detach().clone())
    together = new_optimizer(weights, vector)
    singles = [Muon([{"params": [one], "orthogonal": True}], BETAS) for one in alone]
    adamw = torch.optim.AdamW([plain], lr=0.01, betas=BETAS, weight_decay=0.1, fused=True)
    for optimizer in singles:
        optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"] = 0.01, 0.1
    for seed in range(3):
        set_gradients([*weights, vector], seed)
        gradients = (*weights[:3], *weights[3].grad.chunk(3))  # pyright: ignore[reportOptionalMemberAccess]
        for one, gradient in zip(alone, gradients, strict=True):
            one.grad = gradient.grad if isinstance(gradient, nn.Parameter) else gradient
        plain.grad = vector.grad
        for optimizer in (together, adamw, *singles):
            optimizer.step()
    torch.testing.assert_close(torch.cat(list(weights[:3])), torch.cat(alone[:3]))
    torch.testing.assert_close(weights[3], torch.cat(alone[3:]))
    assert torch.equal(vector, plain)


def test_a_step_without_finite_gradient_changes_nothing() -> None:
    weights, vector = new_weights()
    optimizer = new_optimizer(weights, vector)
    step_if_finite(optimizer, set_gradients([*weights, vector], 0))
    before = copy.deepcopy([*weights, vector]), copy.deepcopy(optimizer_tensors(optimizer))
    set_gradients([*weights, vector], 1)
    weights[0].grad[0, 0] = float("nan")  # pyright: ignore[reportOptionalSubscript]
    assert not step_if_finite(optimizer, torch.tensor(float("nan")))
    assert all(torch.equal(a, b) for a, b in zip(before[0], [*weights, vector], strict=True))
    after = optimizer_tensors(optimizer)
    assert all(torch.equal(value, after[name]) for name, value in before[1].items())


def test_a_restored_optimizer_goes_on_exactly() -> None:
    weights, vector = new_weights()
    optimizer = new_optimizer(weights, vector)
    set_gradients([*weights, vector], 0)
    optimizer.step()
    copies, copied = copy.deepcopy(weights), copy.deepcopy(vector)
    second = new_optimizer(copies, copied)
    restore_optimizer(second, copy.deepcopy(optimizer_tensors(optimizer)))
    for one, parameters in ((optimizer, [*weights, vector]), (second, [*copies, copied])):
        set_gradients(parameters, 1)
        one.step()
    assert all(torch.equal(a, b) for a, b in zip(weights, copies, strict=True))
    assert torch.equal(vector, copied)


def test_the_state_of_another_optimizer_is_refused() -> None:
    weights, vector = new_weights()
    adamw = torch.optim.AdamW([*weights, vector], fused=True)
    set_gradients([*weights, vector], 0)
    adamw.step()
    with pytest.raises(ValueError, match="remembers other things"):
        restore_optimizer(new_optimizer(weights, vector), optimizer_tensors(adamw))
