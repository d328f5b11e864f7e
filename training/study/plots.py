"""Plots of the study, as SVG and PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from training.study.points_file import FIGURES
from training.study.power_laws import FittedLaw

FORMATS = ("svg", "png")
TITLES = {
    "loss_all": "loss, all tokens",
    "loss_last": "loss, last scale",
    "error_all": "token error, all tokens",
    "error_last": "token error, last scale",
}
LABELS = {
    "parameters": "parameters outside tables",
    "compute": "training compute in FLOP",
}
NARROW = 3  # a range in which a logarithmic axis has equal steps, nearly
INK, GREY, ACCENT = "#1f2937", "#9ca3af", "#2563eb"


def plot_laws(
    folder: Path,
    kind: str,
    records: Sequence[Mapping[str, Any]],
    laws: Mapping[str, Mapping[str, FittedLaw]],
    left_out: int | None,
) -> None:
    """Write a plot of every figure of a kind of network, against parameters and compute.

    Args:
        folder: folder of the plots.
        kind: kind of the networks, in the names of the files.
        records: points of all runs.
        laws: laws by axis and figure, as far as there are some.
        left_out: size that the laws do not know.

    Raises:
        OSError: if a plot cannot be written.
    """
    names = [name for name in FIGURES if name in records[0]]
    for axis in LABELS:
        figure = Figure(figsize=(4.2 * len(names), 3.8), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, len(names)))
        for place, name in zip(axes, names, strict=True):
            law = laws.get(axis, {}).get(name)
            draw = draw_sizes if axis == "parameters" else draw_curves
            draw(place, records, name, law, left_out)
            draw_law(place, law)
            place.set(xscale="log", yscale="log", xlabel=LABELS[axis], title=TITLES[name])
            place.set_ylabel(label_of(name, law))
            write_ticks(place, axis)
            place.grid(True, which="both", color="#e5e7eb", linewidth=0.5)
        save(figure, folder / f"{kind}-{axis}")


def draw_sizes(
    place: Axes,
    records: Sequence[Mapping[str, Any]],
    name: str,
    law: FittedLaw | None,
    left_out: int | None,
) -> None:
    """The end of every run against its parameters."""
    part = law.law.irreducible if law else 0.0
    known = [one for one in records if one["parameters"] != left_out]
    others = [one for one in records if one["parameters"] == left_out]
    for some, marker, colour, face, label in (
        (known, "o", INK, INK, None),
        (others, "D", ACCENT, "white", "kept out of the fit"),
    ):
        if some:
            x = [record["parameters"] for record in some]
            y = [record[name] - part for record in some]
            place.plot(x, y, marker, color=colour, markerfacecolor=face, label=label)


def draw_curves(
    place: Axes,
    records: Sequence[Mapping[str, Any]],
    name: str,
    law: FittedLaw | None,
    left_out: int | None,
) -> None:
    """The curve of every run against the compute so far."""
    part = law.law.irreducible if law else 0.0
    for record in records:
        x = [point["compute"] for point in record["curve"]]
        y = [point[name] - part for point in record["curve"]]
        place.plot(x, y, color=GREY if record["parameters"] != left_out else ACCENT, linewidth=1)


def draw_law(place: Axes, law: FittedLaw | None) -> None:
    """The line of a law over the width of what is drawn, with its exponent."""
    if law is None:
        return
    lines = [np.asarray(line.get_xdata(), float) for line in place.get_lines()]
    x = np.geomspace(min(map(np.min, lines)), max(map(np.max, lines)), 50)
    shown = f"exponent {law.law.exponent:.3g}, r = {law.law.pearson_r:.4f}"
    place.plot(x, law.law.at(x) - law.law.irreducible, "--", color=INK, linewidth=1, label=shown)
    place.legend(fontsize=8, frameon=False)


def write_ticks(place: Axes, axis: str) -> None:
    """Write plain numbers along both logarithmic axes, as many as there is room for."""
    if axis == "parameters":
        place.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        place.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g} M"))
    place.xaxis.set_minor_formatter(NullFormatter())
    low, high = place.get_ylim()
    is_narrow = high < NARROW * low
    place.yaxis.set_major_locator(
        MaxNLocator(5) if is_narrow else LogLocator(subs=(1.0, 2.0, 3.0, 5.0))
    )
    place.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    place.yaxis.set_minor_formatter(NullFormatter())


def label_of(name: str, law: FittedLaw | None) -> str:
    """What is drawn upwards: of losses the reducible part, where it is known."""
    if law is None or not name.startswith("loss"):
        return name.partition("_")[0]
    return f"loss - {law.law.irreducible:.3g}, nats a token"


def save(figure: Figure, path: Path) -> None:
    """Write a plot in all formats; the same plot gives the same files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "path"}):
        for ending in FORMATS:
            figure.savefig(
                path.with_suffix(f".{ending}"),
                dpi=110,
                metadata={"Date": None} if ending == "svg" else {"Software": None},
            )
