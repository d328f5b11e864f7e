"""The quick way to a Frechet distance, beside the usual one."""

import pytest
import torch

from training.evaluation.frechet import feature_statistics, frechet_distance
from training.evaluation.scenes.picture_figures import jackknife_frechet
from training.study.few_pictures import few_frechet, few_frechet_estimate


def sets() -> tuple[torch.Tensor, torch.Tensor]:
    dice = torch.Generator().manual_seed(0)
    ours = torch.randn(24, 40, generator=dice)
    return ours, 0.5 + 2 * torch.randn(30, 40, generator=dice)


def test_it_is_the_distance_of_both_gaussians() -> None:
    ours, theirs = sets()
    slow = frechet_distance(feature_statistics(ours), feature_statistics(theirs))
    assert few_frechet(ours, theirs) == pytest.approx(slow, rel=1e-6)
    assert few_frechet(ours, ours) == pytest.approx(0.0, abs=1e-6)


def test_the_interval_is_that_of_the_usual_jackknife() -> None:
    ours, theirs = sets()
    found, slow = few_frechet_estimate(ours, theirs), jackknife_frechet(ours, theirs)
    assert (found.value, found.low, found.high) == pytest.approx(
        (slow.value, slow.low, slow.high), rel=1e-6
    )
    assert found.n == slow.n == 24


def test_too_few_pictures_are_refused() -> None:
    ours, theirs = sets()
    with pytest.raises(ValueError, match="at least 20 pictures are needed, got 19"):
        few_frechet_estimate(ours[:19], theirs)
    with pytest.raises(ValueError, match="at least two pictures and the same features"):
        few_frechet(ours[:1], theirs)
