import math

import pytest
import torch

from var_core.sampling import SamplingOptions
from var_core.sampling.logits import apply_guidance, draw_tokens, keep_top_k, keep_top_p


def test_guidance_of_zero_returns_the_conditional_logits() -> None:
    conditional, unconditional = torch.randn(2, 4, 9, 32)
    assert torch.equal(apply_guidance(conditional, unconditional, 0.0), conditional)


def test_guidance_weight_extrapolates_by_one_plus_t() -> None:
    logits = apply_guidance(torch.tensor([3.0]), torch.tensor([1.0]), 2.0)
    assert logits.item() == 7.0


def test_top_k_keeps_k_codes_and_all_ties() -> None:
    logits = torch.tensor([[[4.0, 3.0, 3.0, 1.0]]])
    assert keep_top_k(logits, 1).isfinite().sum() == 1
    assert keep_top_k(logits, 2).isfinite().sum() == 3
    assert torch.equal(keep_top_k(logits, 0), logits)


def test_top_p_keeps_the_code_that_crosses_the_mass() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().view(1, 1, 4)
    kept = [int(keep_top_p(logits, p).isfinite().sum()) for p in (0.1, 0.49, 0.6, 0.9, 0.97, 1.0)]
    assert kept == [1, 1, 2, 3, 4, 4]
    assert torch.equal(keep_top_p(logits, 0.0), logits)


def test_filters_leave_their_input_alone() -> None:
    logits = torch.randn(1, 5, 16)
    before = logits.clone()
    keep_top_p(keep_top_k(logits, 3), 0.5)
    assert torch.equal(logits, before)


def test_each_picture_draws_from_its_own_generator() -> None:
    logits = torch.randn(2, 50, 16)
    together = draw_tokens(logits, [torch.Generator().manual_seed(s) for s in (3, 4)])
    for index, seed in enumerate((3, 4)):
        alone = draw_tokens(logits[index : index + 1], [torch.Generator().manual_seed(seed)])
        assert torch.equal(together[index : index + 1], alone)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guidance_scale", -0.1),
        ("guidance_scale", math.nan),
        ("guidance_scale", math.inf),
        ("guidance_scale", 21),
        ("guidance_scale", True),
        ("top_k", -1),
        ("top_k", 1.5),
        ("top_p", 1.01),
        ("top_p", "0.9"),
        ("temperature", 0),
        ("temperature", 11.0),
        ("smooth", 1),
    ],
)
def test_bad_options_are_refused_by_name_and_value(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        SamplingOptions(**{field: value})
    assert repr(value) in str(caught.value)
