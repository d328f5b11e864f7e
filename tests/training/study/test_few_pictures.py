"""The quick way to a Frechet distance beside the usual one, and endless pictures from few."""

import pytest
import torch

from training.evaluation.frechet import feature_statistics, frechet_distance
from training.study.few_pictures import (
    References,
    endless_frechet,
    endless_frechet_estimate,
    few_frechet,
)


def sets() -> tuple[torch.Tensor, torch.Tensor]:
    dice = torch.Generator().manual_seed(0)
    ours = torch.randn(24, 40, generator=dice)
    return ours, 0.5 + 2 * torch.randn(30, 40, generator=dice)


@pytest.mark.parametrize("repeats", [1, 3])  # fewer and more references than features
def test_it_is_the_distance_of_both_gaussians(repeats: int) -> None:
    ours, theirs = sets()
    theirs = torch.cat([theirs + 0.1 * number for number in range(repeats)])
    slow = frechet_distance(feature_statistics(ours), feature_statistics(theirs))
    assert few_frechet(ours, References.of(theirs)) == pytest.approx(slow, rel=1e-6)
    assert few_frechet(ours, References.of(ours)) == pytest.approx(0.0, abs=1e-6)


def drawn(count: int, seed: int, spread: float = 1.0) -> torch.Tensor:
    """Features that differ more in some directions than in others, as those of pictures."""
    dice = torch.Generator().manual_seed(seed)
    return spread * torch.randn(count, 128, generator=dice) * torch.arange(1, 129) ** -0.3


def test_few_pictures_tell_more_of_the_distance_of_endless_ones() -> None:
    references = References.of(drawn(2000, 0))
    truth = few_frechet(drawn(8000, 1, 0.8), references)
    few = drawn(200, 2, 0.8)
    plain, endless = few_frechet(few, references), endless_frechet(few, references)
    assert abs(endless - truth) < 0.5 * (plain - truth)


def test_pictures_that_are_too_much_alike_do_not_win() -> None:
    references = References.of(drawn(2000, 0))
    as_varied, alike = drawn(200, 2), drawn(200, 2, 0.93)
    # of few pictures, the plain distance prefers the wrong ones
    assert few_frechet(alike, references) < few_frechet(as_varied, references)
    assert endless_frechet(as_varied, references) < endless_frechet(alike, references)


def test_the_interval_is_as_wide_below_as_above() -> None:
    ours, theirs = sets()
    references = References.of(theirs)
    found = endless_frechet_estimate(ours, references)
    assert found.value == endless_frechet(ours, references) and found.n == 24
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert found.high > found.value


def test_too_few_pictures_are_refused() -> None:
    ours, theirs = sets()
    references = References.of(theirs)
    with pytest.raises(ValueError, match="at least 20 pictures are needed, got 19"):
        endless_frechet_estimate(ours[:19], references)
    with pytest.raises(ValueError, match="at least two pictures are needed"):
        few_frechet(ours[:1], references)
    with pytest.raises(ValueError, match="the same features, got 39 and 40"):
        few_frechet(ours[:, 1:], references)
