import math

import pytest
import torch
from torch import Tensor

from var_core.sampling import SamplingOptions, apply_guidance, draw_tokens, filter_logits
from var_core.sampling.rng import exponential_noise


def test_guidance_of_zero_returns_the_conditional_logits() -> None:
    conditional, unconditional = torch.randn(2, 4, 9, 32)
    assert torch.equal(apply_guidance(conditional, unconditional, 0.0), conditional)


def test_guidance_weight_extrapolates_by_one_plus_t() -> None:
    logits = apply_guidance(torch.tensor([3.0]), torch.tensor([1.0]), 2.0)
    assert logits.item() == 7.0


def kept(logits: Tensor, **options: float) -> int:
    chosen = SamplingOptions(**{"top_k": 0, "top_p": 0.0, **options})
    return int(filter_logits(logits, chosen).isfinite().sum())


def test_top_k_keeps_k_codes_and_all_ties() -> None:
    logits = torch.tensor([[[4.0, 3.0, 3.0, 1.0]]])
    assert [kept(logits, top_k=k) for k in (0, 1, 2, 3, 4, 9)] == [4, 1, 3, 3, 4, 4]


def test_top_p_keeps_the_code_that_crosses_the_mass() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().view(1, 1, 4)
    masses = (0.0, 0.1, 0.49, 0.6, 0.9, 0.97, 1.0)
    assert [kept(logits, top_p=p) for p in masses] == [4, 1, 1, 2, 3, 4, 4]


def test_top_p_keeps_codes_as_likely_as_the_last_one() -> None:
    logits = torch.tensor([0.4, 0.2, 0.2, 0.2]).log().view(1, 1, 4)
    assert kept(logits, top_p=0.5) == 4


def filter_by_sorting(logits: Tensor, options: SamplingOptions) -> Tensor:
    """The slow twin: each filter as it is defined, over the whole codebook."""
    logits = logits / options.temperature
    if options.top_k:
        least = logits.topk(options.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if options.top_p in (0.0, 1.0):
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    mass = ordered.softmax(dim=-1)
    outside = mass.cumsum(dim=-1) - mass >= options.top_p
    outside[..., 0] = False
    return logits.masked_fill(outside.scatter(-1, order, outside), float("-inf"))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("top_k", [0, 1, 40, 512])
@pytest.mark.parametrize("top_p", [0.0, 0.01, 0.5, 0.95, 1.0])
def test_filters_keep_what_their_definitions_keep(
    temperature: float, top_k: int, top_p: float
) -> None:
    logits = 3 * torch.randn(2, 30, 512, generator=torch.Generator().manual_seed(0))
    options = SamplingOptions(top_k=top_k, top_p=top_p, temperature=temperature)
    assert torch.equal(filter_logits(logits, options), filter_by_sorting(logits, options))


def test_filters_leave_their_input_alone() -> None:
    logits = torch.randn(1, 5, 16)
    before = logits.clone()
    filter_logits(logits, SamplingOptions(top_k=3, top_p=0.5))
    assert torch.equal(logits, before)


def test_noise_is_that_of_torch_bit_by_bit() -> None:
    ours, theirs = (torch.Generator().manual_seed(7) for _ in range(2))
    for shape in ((3,), (40, 512)):
        expected = torch.empty(shape).exponential_(generator=theirs)
        assert torch.equal(exponential_noise(shape, ours), expected)
    assert torch.equal(ours.get_state(), theirs.get_state())


def test_a_seed_draws_what_multinomial_draws() -> None:
    logits = 2 * torch.randn(1, 300, 64, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.Generator().manual_seed(3) for _ in range(2))
    expected = torch.multinomial(logits[0].softmax(dim=-1), 1, generator=theirs)
    assert torch.equal(draw_tokens(logits, [ours])[0], expected[:, 0])


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
