"""Attention that is measured: the same outputs as the kernels, and shares that add up."""

import pytest
import torch

from tests.conftest import SIDES, make_transformer
from tests.prompted_models import make_text_transformer, prompted
from var_core.condition import Condition
from var_core.scales import ScaleSchedule
from var_core.transformer import MeasuredAttention, VARTransformer, measured_attention

SCHEDULE = ScaleSchedule(SIDES)
CPU = torch.device("cpu")


def operands(num_prefix: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    shape = (2, 3, num_prefix + SCHEDULE.num_tokens, 8)
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).to(dtype) for _ in range(3)]


@pytest.mark.parametrize("num_prefix", [0, 4])
@pytest.mark.parametrize("group_bytes", [1, 1 << 20])
def test_shares_are_those_of_the_whole_matrix(
    num_prefix: int, group_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_attention, "GROUP_BYTES", group_bytes)
    measured = MeasuredAttention(SCHEDULE, CPU, num_prefix)
    layers = [operands(num_prefix), [2 * x for x in operands(num_prefix)]]
    expected = torch.zeros(2, len(SIDES), num_prefix + len(SIDES))
    for q, k, v in layers:
        mixed = measured(q, k, v, 0.3)
        scores = (q @ k.transpose(-2, -1)) * 0.3
        weights = scores.masked_fill(~measured.mask, float("-inf")).softmax(dim=-1)
        torch.testing.assert_close(mixed, weights @ v)
        for row in range(len(SIDES)):
            queries = SCHEDULE.token_range(row)
            seen = weights[:, :, num_prefix + queries.start : num_prefix + queries.stop]
            seen = seen.mean(dim=(1, 2)) / len(layers)  # (B, P + L)
            expected[:, row, :num_prefix] += seen[:, :num_prefix]
            for column in range(len(SIDES)):
                keys = SCHEDULE.token_range(column)
                part = seen[:, num_prefix + keys.start : num_prefix + keys.stop]
                expected[:, row, num_prefix + column] += part.sum(dim=1)
    torch.testing.assert_close(measured.shares(), expected)
    torch.testing.assert_close(measured.shares().sum(dim=2), torch.ones(2, len(SIDES)))


@pytest.mark.parametrize("num_scales", [1, 2, 4])
@pytest.mark.parametrize(
    ("transformer", "condition"),
    [
        (make_transformer(), Condition.of_labels(torch.tensor([[0, 1, 2], [1, 3, 0]]))),
        (make_text_transformer(), prompted(1, 2)),
    ],
    ids=["labels", "text"],
)
def test_the_network_says_the_same_with_measured_attention(
    transformer: VARTransformer, condition: Condition, num_scales: int
) -> None:
    schedule, prefix = SCHEDULE.first(num_scales), transformer.num_prefix
    inputs = torch.randn(len(condition), schedule.num_tokens - 1, 8)
    embedded = transformer.embed(condition)
    measured = MeasuredAttention(schedule, CPU, prefix)
    found = transformer.hidden_states(inputs, embedded, measured)
    expected = transformer.hidden_states(inputs, embedded, transformer.block_causal(num_scales))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    shares = measured.shares()
    assert shares.shape == (len(condition), num_scales, prefix + num_scales)
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(len(condition), num_scales))
    finer = torch.ones(num_scales, num_scales).triu(1).bool()
    assert (shares[:, :, prefix:][:, finer] == 0).all()  # nobody sees what comes later
    assert shares[:, 0, prefix] > 0 if prefix else (shares[:, 0, 0] == 1).all()


def test_in_half_precision_the_sums_stay_exact() -> None:
    measured = MeasuredAttention(SCHEDULE, CPU)
    assert measured(*operands(0, torch.bfloat16), 0.3).dtype == torch.bfloat16
    torch.testing.assert_close(measured.shares().sum(dim=2), torch.ones(2, len(SIDES)))
