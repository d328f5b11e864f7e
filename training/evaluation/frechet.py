"""Frechet distance between two sets of features (arXiv 1706.08500), in double precision.

The features here are not those of Inception, so never compare the figures with published FID. The
bias depends on the number of pictures: compare sets of equal size, and print beside every figure
the distance between two sets of real pictures.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from training.evaluation.features import FeatureNet
from var_core.images import uint8_to_tensor

PICTURES_AT_ONCE = 64

Statistics = tuple[Tensor, Tensor]  # mean (F,) and covariance (F, F), float64


def feature_statistics(features: Tensor) -> Statistics:
    """Summarise features by a Gaussian: (n, F) -> mean (F,) and covariance (F, F), float64.

    Raises:
        ValueError: if there are fewer than two rows, or if `features` is not a matrix.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f"features must be (n, F) with n of at least 2, got {tuple(features.shape)}"
        )
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Compare two Gaussians: |m - n|^2 + tr(A + B - 2 (A B)^(1/2)); 0 = equal.

    The trace of the root is the sum of the roots of the eigenvalues of R B R, with R R = A; that
    matrix is symmetric, so no root of a general matrix is needed.

    Raises:
        ValueError: if the two were made from features of different widths.
    """
    (mean_a, covariance_a), (mean_b, covariance_b) = a, b
    if mean_a.shape != mean_b.shape:
        raise ValueError(f"features differ in width: {len(mean_a)} and {len(mean_b)}")
    values, vectors = torch.linalg.eigh(covariance_a)
    root = (vectors * values.clamp_min(0.0).sqrt()) @ vectors.T
    product = root @ covariance_b @ root
    eigenvalues = torch.linalg.eigvalsh((product + product.T) / 2)
    trace_of_root = eigenvalues.clamp_min(0.0).sqrt().sum()
    traces = covariance_a.trace() + covariance_b.trace()
    distance = (mean_a - mean_b).square().sum() + traces - 2.0 * trace_of_root
    return max(distance.item(), 0.0)  # rounding can leave a tiny negative number


@torch.no_grad()
def collect_features(net: FeatureNet, batches: Iterable[Tensor]) -> Tensor:
    """Features of batches of pictures (B, 3, H, W) in [-1, 1]: -> (n, 1280), on the CPU."""
    return torch.cat([net(images).cpu() for images in batches])


def features_of(net: FeatureNet, pictures: np.ndarray) -> Tensor:
    """Features of pictures (N, H, W, 3) uint8: -> (N, 1280), on the CPU."""
    return collect_features(net, uint8_to_tensor(pictures).split(PICTURES_AT_ONCE))
