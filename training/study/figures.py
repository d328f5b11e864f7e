"""From points to laws: fits against parameters and compute, one size kept out and predicted."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.scenes.intervals import Estimate
from training.study.plots import plot_laws
from training.study.points_file import FIGURES, PointsFile
from training.study.power_laws import (
    FEWEST_FREE,
    FittedLaw,
    Points,
    all_points,
    envelope,
    fit_power_law,
    fit_sizes,
    seed_mean,
)
from training.study.settings import KINDS
from var_core.files import write_atomically

MERGES = {"parameters": all_points, "compute": envelope}  # points of a fit, of those of all sizes
FITS_FILE = "scaling.json"
# exponents of arXiv 2404.02905, "Power-law scaling laws"; its losses are reducible ones
PUBLISHED = {
    "parameters": {
        "loss_all": 0.20,
        "loss_last": 0.23,
        "error_all": 0.010,
        "error_last": 0.016,
    },
    "compute": {"loss_all": 0.16, "loss_last": 0.13, "error_all": 0.011, "error_last": 0.0067},
}

Record = Mapping[str, Any]
Laws = dict[str, dict[str, FittedLaw]]  # by axis and figure


def write_figures(folder: Path, points: PointsFile) -> None:
    """Write fits and plots of all points that there are.

    Raises:
        OSError: if they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Any] = {}
    found_kinds = {point["kind"] for point in points.points.values()}
    for kind in (kind for kind in KINDS if kind in found_kinds):
        records = [point for point in points.points.values() if point["kind"] == kind]
        left_out = largest(records)
        known = [record for record in records if record["parameters"] != left_out]
        laws = laws_of(known)
        kinds[kind] = {
            "runs": len(known),
            "fits": {
                axis: {
                    name: law_json(law, axis, sizes_of(known, axis, name))
                    for name, law in some.items()
                }
                for axis, some in laws.items()
            },
            "kept_out": predictions(
                laws, [record for record in records if record["parameters"] == left_out]
            ),
        }
        plot_laws(folder / "plots", kind, records, laws, left_out)
    found = {"about": points.about, "published_exponents": PUBLISHED, "kinds": kinds}
    write_atomically(folder / FITS_FILE, (json.dumps(found, indent=1) + "\n").encode())


def largest(records: Sequence[Record]) -> int | None:
    """The largest size, to be predicted; None where the others are too few for a law."""
    sizes = {record["parameters"] for record in records}
    return None if len(sizes) <= FEWEST_FREE else max(sizes)


def sizes_of(records: Sequence[Record], axis: str, figure: str) -> list[list[Points]]:
    """The runs of each size: their ends against parameters, their whole curves against compute."""
    found: dict[int, list[Points]] = {}
    for record in records:
        points = [record] if axis == "parameters" else record["curve"]
        x, y = (np.array([point[name] for point in points], float) for name in (axis, figure))
        found.setdefault(record["parameters"], []).append((x, y))
    return list(found.values())


def laws_of(records: Sequence[Record]) -> Laws:
    """All laws that the sizes are enough for: of losses with a fitted irreducible part."""
    laws: Laws = {}
    names = [name for name in FIGURES if name in records[0]]
    if len({record["parameters"] for record in records}) < FEWEST_FREE:
        return laws
    for axis, merge in MERGES.items():
        laws[axis] = {}
        for name in names:
            sizes = sizes_of(records, axis, name)
            points = merge([seed_mean(runs) for runs in sizes])
            if len(np.unique(points[0])) < FEWEST_FREE:  # as where more compute never helps
                continue
            irreducible = None if name.startswith("loss") else 0.0
            laws[axis][name] = fit_sizes(sizes, merge, irreducible)
    return laws


def law_json(fitted: FittedLaw, axis: str, sizes: Sequence[Sequence[Points]]) -> dict[str, Any]:
    """A law as it stands in the file, beside the line without an irreducible part."""
    points = MERGES[axis]([seed_mean(runs) for runs in sizes])
    plain = fit_power_law(points, 0.0)
    return {
        "exponent": estimate_json(fitted.exponent),
        "irreducible": estimate_json(fitted.irreducible),
        "factor": rounded(fitted.law.factor),
        "pearson_r": rounded(fitted.law.pearson_r),
        "points": len(points[0]),
        "without_irreducible": {
            "exponent": rounded(plain.exponent),
            "pearson_r": rounded(plain.pearson_r),
        },
    }


def predictions(laws: Laws, kept_out: Sequence[Record]) -> dict[str, Any] | None:
    """What the laws say of the size that was kept out, and what its runs came to on average."""
    if not kept_out or "parameters" not in laws:
        return None
    size = kept_out[0]["parameters"]
    found: dict[str, Any] = {"depth": kept_out[0]["depth"], "parameters": size}
    for figure, law in laws["parameters"].items():
        found[figure] = {
            "predicted": estimate_json(law.predict(size)),
            "measured": rounded(float(np.mean([record[figure] for record in kept_out]))),
        }
    return found


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """An estimate with None in place of what is not known."""
    return {name: rounded(value) for name, value in estimate.to_json().items()}


def rounded(value: float) -> float | int | None:
    """A number with five significant digits; None if it is not finite."""
    if isinstance(value, int):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None
