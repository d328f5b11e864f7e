"""The Frechet distance of few pictures, extrapolated to endless ones, in little time."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.evaluation.scenes.intervals import Estimate, block_jackknife


@dataclass(frozen=True, eq=False)
class References:
    """Features of pictures to compare with, as a Gaussian, in double precision.

    Attributes:
        mean: their mean, (F,).
        root: matrix (r, F) whose product root^T root is their covariance.
        count: number of pictures.
    """

    mean: Tensor
    root: Tensor
    count: int

    @classmethod
    def of(cls, features: Tensor) -> "References":
        """The Gaussian of features (m, F).

        Raises:
            ValueError: if there are fewer than two pictures.
        """
        mean, centred = centre(features)
        return cls(mean, torch.linalg.qr(centred, mode="r").R, len(features))


def few_frechet(features: Tensor, references: References) -> float:
    """Frechet distance of features (n, F) to references, in double precision.

    With A = X^T X, and B likewise of Y, the trace of the root of A B is the sum of the singular
    values of X Y^T: of a matrix with n rows in place of F.

    Raises:
        ValueError: if there are fewer than two pictures, or widths differ.
    """
    if features.shape[1:] != references.mean.shape:
        raise ValueError(
            f"both sets must have the same features, got {features.shape[1]} and "
            f"{len(references.mean)}"
        )
    mean, centred = centre(features)
    root = torch.linalg.svdvals(centred @ references.root.T).sum()
    traces = centred.square().sum() + references.root.square().sum()
    distance = (mean - references.mean).square().sum() + traces - 2 * root
    return max(distance.item(), 0.0)  # rounding can leave a tiny negative number


def centre(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,), and the matrix X (n, F) with X^T X as covariance, float64.

    Raises:
        ValueError: if there are fewer than two pictures.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"at least two pictures are needed, got {tuple(features.shape)}")
    features = features.double()
    mean = features.mean(dim=0)
    return mean, (features - mean) / math.sqrt(len(features) - 1)


def endless_frechet(features: Tensor, references: References) -> float:
    """What the distance would be of endlessly many such pictures, by the rule of Richardson.

    The distance F(n) of n pictures is too large by about c / n, the more so the more they differ
    from each other: pictures that are all alike would win. So 2 F(n) - F(n/2) is taken, with the
    mean over both halves (arXiv 1911.07023 draws a line through more n). It can be negative.

    Raises:
        ValueError: if there are fewer than four pictures, or widths differ.
    """
    halves = [few_frechet(features[start::2], references) for start in (0, 1)]
    return 2 * few_frechet(features, references) - sum(halves) / 2


def endless_frechet_estimate(features: Tensor, references: References) -> Estimate:
    """The extrapolated distance, with the interval of a block jackknife over the pictures.

    Raises:
        ValueError: if there are fewer than 20 pictures.
    """
    found = block_jackknife(lambda some: endless_frechet(some, references), features)
    # unlike a plain distance, it does not end at 0
    return Estimate(found.value, 2 * found.value - found.high, found.high, found.n)
