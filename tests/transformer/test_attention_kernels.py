import math

import pytest
import torch

from var_core.transformer import attention_kernels
from var_core.transformer.attention_kernels import attention, select_backend
from var_core.transformer.blocks import SelfAttention
from var_core.transformer.kv_cache import KVCache


def operands() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, n, 8, generator=generator) for n in (4, 6, 6)]


@pytest.mark.parametrize("masked", [False, True])
def test_sdpa_equals_the_plain_formula(masked: bool) -> None:
    mask = torch.ones(4, 6).tril(2).bool() if masked else None
    fast = attention(*operands(), 0.3, mask, "sdpa")
    slow = attention(*operands(), 0.3, mask, "math")
    assert torch.allclose(fast, slow, atol=1e-6)


@pytest.mark.parametrize("scale", [0.3, 1.0])
@pytest.mark.parametrize("group_bytes", [1, 1 << 20])
def test_bmm_equals_the_plain_formula(
    monkeypatch: pytest.MonkeyPatch, scale: float, group_bytes: int
) -> None:
    # some heads at a time, or all
    monkeypatch.setattr(attention_kernels, "GROUP_BYTES", group_bytes)
    fast = attention(*operands(), scale, None, "bmm")
    assert torch.allclose(fast, attention(*operands(), scale, None, "math"), atol=1e-6)


def test_bmm_is_chosen_for_many_queries_in_bf16_and_takes_neither_mask_nor_gradient() -> None:
    many = [part.repeat(1, 1, 20, 1).bfloat16() for part in operands()]
    assert select_backend(*many) == "bmm"
    assert select_backend(*(part.float() for part in many)) == "sdpa"
    assert select_backend(many[0].requires_grad_(), *many[1:]) == "sdpa"
    mask = torch.ones(4, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match="bmm"):
        attention(*operands(), 1.0, mask, "bmm")


def test_on_the_cpu_sdpa_is_chosen_and_xformers_cannot_be_forced() -> None:
    assert select_backend(*operands()) == "sdpa"
    with pytest.raises(ValueError, match="xformers"):
        select_backend(*operands(), backend="xformers")


def test_the_environment_forces_a_kernel_and_unknown_names_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAR_ATTENTION", "math")
    assert select_backend(*operands()) == "math"
    assert select_backend(*operands(), backend="sdpa") == "sdpa"
    for name in ("prefix", "flex"):  # which are for whole pyramids alone
        monkeypatch.setenv("VAR_ATTENTION", name)
        assert select_backend(*operands()) == "sdpa"
        with pytest.raises(ValueError, match=name):
            select_backend(*operands(), backend=name)
    monkeypatch.setenv("VAR_ATTENTION", "fast")
    with pytest.raises(ValueError, match="fast"):
        select_backend(*operands())


def test_the_learned_temperature_is_capped_at_one_hundred() -> None:
    layer = SelfAttention(16, 2, qk_norm=True).requires_grad_(False)
    hidden = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(0))

    def run(log_scale: float) -> torch.Tensor:
        layer.log_qk_scale.fill_(log_scale)
        return layer(hidden, None, None, 0, "auto")

    assert torch.equal(run(math.log(100) + 3), run(math.log(100)))
    assert not torch.equal(run(math.log(100) - 3), run(math.log(100)))


def test_a_cache_returns_all_it_was_given_and_refuses_more() -> None:
    cache = KVCache(1, 1, 2, 5, 4, torch.float32, torch.device("cpu"))
    keys, values = torch.randn(2, 1, 2, 5, 4)
    cache.append(0, keys[:, :, :2], values[:, :, :2])
    all_keys, all_values = cache.append(0, keys[:, :, 2:], values[:, :, 2:])
    assert torch.equal(all_keys, keys) and torch.equal(all_values, values)
    with pytest.raises(ValueError, match="5 tokens"):
        cache.append(0, keys[:, :, :1], values[:, :, :1])
