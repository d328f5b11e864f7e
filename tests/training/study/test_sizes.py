"""The dial of the study: what counts, and the rule of the learning rate."""

import pytest

from training.study.settings import ScalingSettings
from training.study.sizes import MLP_RATIO, Size, count_outside_tables
from var_core.transformer import VARTransformer


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_number_of_parameters_is_that_of_the_network(depth: int) -> None:
    size = Size(depth)
    network = VARTransformer(
        sides=(1, 2),
        vocab_size=16,
        depth=depth,
        width=size.width,
        num_heads=size.num_heads,
        mlp_ratio=MLP_RATIO,
        shared_modulation=True,
    )
    assert count_outside_tables(network) == size.num_parameters
    tables = 16 * (size.width + 1) + 33 * size.width + (1001 + 2 + 1 + 5) * size.width
    assert size.num_parameters == sum(p.numel() for p in network.parameters()) - tables


def test_the_sizes_span_two_orders_of_magnitude() -> None:
    sizes = ScalingSettings(data="data", out="out").sizes
    counts = [size.num_parameters for size in sizes]
    assert len(counts) >= 6 and counts == sorted(counts)
    assert counts[0] < 150_000 and counts[-1] > 10_000_000
    assert all(size.width == 32 * size.depth and size.num_heads == size.depth for size in sizes)


def test_larger_networks_learn_at_a_lower_rate() -> None:
    rates = [Size(depth).highest_rate for depth in (2, 4, 8)]
    assert rates == sorted(rates, reverse=True) and rates[0] == pytest.approx(1.59e-3, rel=0.01)
