"""The Frechet distance follows its closed forms."""

from __future__ import annotations

import pytest
import torch

from training.evaluation.features import NUM_FEATURES, FeatureNet
from training.evaluation.frechet import collect_features, feature_statistics, frechet_distance


def draw_features(seed: int, num_rows: int = 60, width: int = 12) -> torch.Tensor:
    return torch.randn(num_rows, width, generator=torch.Generator().manual_seed(seed))


def test_equal_sets_have_distance_zero() -> None:
    statistics = feature_statistics(draw_features(0))
    assert frechet_distance(statistics, statistics) == pytest.approx(0.0, abs=1e-6)


def test_statistics_are_mean_and_unbiased_covariance_in_double_precision() -> None:
    features = draw_features(1)
    mean, covariance = feature_statistics(features)
    assert mean.dtype == covariance.dtype == torch.float64
    torch.testing.assert_close(mean, features.double().mean(dim=0))
    torch.testing.assert_close(covariance, torch.cov(features.double().T))


def test_diagonal_gaussians_follow_the_closed_form() -> None:
    mean_a, mean_b = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, 0.5])
    sigma_a, sigma_b = torch.tensor([1.0, 0.5, 2.0]), torch.tensor([3.0, 0.5, 0.0])
    a = mean_a.double(), sigma_a.square().diag().double()
    b = mean_b.double(), sigma_b.square().diag().double()
    expected = (mean_a - mean_b).square().sum() + (sigma_a - sigma_b).square().sum()
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-9)


def test_distance_is_symmetric_when_there_are_fewer_rows_than_features() -> None:
    a = feature_statistics(draw_features(2, num_rows=8))
    b = feature_statistics(draw_features(3, num_rows=8))
    assert frechet_distance(a, b) > 1.0
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-5)


def test_a_shift_adds_its_squared_length() -> None:
    features = draw_features(4)
    shifted = features + torch.full((features.shape[1],), 0.5)
    distance = frechet_distance(feature_statistics(features), feature_statistics(shifted))
    assert distance == pytest.approx(0.25 * features.shape[1], rel=1e-4)


def test_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="n of at least 2"):
        feature_statistics(torch.zeros(1, 4))


def test_different_widths_are_refused() -> None:
    a, b = feature_statistics(draw_features(5)), feature_statistics(draw_features(5, width=7))
    with pytest.raises(ValueError, match="12 and 7"):
        frechet_distance(a, b)


def test_features_of_all_batches_are_collected_in_order() -> None:
    torch.manual_seed(0)
    net = FeatureNet(side=32).eval()
    images = torch.rand(5, 3, 16, 16) * 2 - 1
    features = collect_features(net, images.split(2))
    assert features.shape == (5, NUM_FEATURES)
    torch.testing.assert_close(features[4:], net(images[4:]).detach())
