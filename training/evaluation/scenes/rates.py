"""Rates of right pictures: drawn ones beside real ones, which are the 100 %."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.evaluation.scenes.decisions import RIGHT, UNASKED, Marks
from training.evaluation.scenes.intervals import bootstrap, ratio_estimate, to_json, wilson

DRAWN, REAL = "drawn", "real"

MarkedSet = Mapping[str, Marks]  # DRAWN and REAL, the same cases in both
Pairs = np.ndarray  # (n, 2), 1 for right: drawn, real


def rate(signs: str) -> dict[str, Any] | None:
    """Part of the marks that are right, with n and interval; None where nothing was asked."""
    asked = len(signs) - signs.count(UNASKED)
    return wilson(signs.count(RIGHT), asked).to_json() if asked else None


def pairs_of(marked: MarkedSet, question: str) -> Pairs:
    """What is right in the drawing and in the real picture of each case that asks a question."""
    drawn, real = marked[DRAWN][question], marked[REAL][question]
    rows = [
        (one == RIGHT, other == RIGHT)
        for one, other in zip(drawn, real, strict=True)
        if one != UNASKED
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def rates(pairs: Pairs) -> dict[str, Any] | None:
    """Rates of both kinds and their ratio, with intervals; None without cases."""
    n = len(pairs)
    if not n:
        return None
    drawn, real = (int(hits) for hits in pairs.sum(axis=0))
    return {
        "n": n,
        DRAWN: wilson(drawn, n).to_json(),
        REAL: wilson(real, n).to_json(),
        "of_real": to_json(ratio_estimate(pairs[:, 0], pairs[:, 1])),
    }


def difference(pairs: Pairs, others: Pairs) -> dict[str, Any] | None:
    """How far two sets of cases lie apart in what is right of the real rate, in points."""
    if not len(pairs) or not len(others):
        return None

    def points(means: np.ndarray) -> np.ndarray:
        return 100 * (means[:, 0] / means[:, 1] - means[:, 2] / means[:, 3])

    return to_json(bootstrap(points, pairs, others))
