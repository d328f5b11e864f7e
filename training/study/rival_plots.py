"""Plots of the comparison: quality against time a picture, and against pictures seen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.study.plots import save
from training.study.rival_reading import THROUGH_CODES
from training.study.rival_seconds import SECONDS

COLOURS = {"var": "#2563eb", "raster": "#d97706", "diffusion": "#059669"}
LIMITS = {
    "var": THROUGH_CODES,
    "raster": "through-raster-tokenizer",
    "diffusion": "through-latents",
}
MARKERS = "os^Dv"  # of sizes, the smallest first
GRID = "#e5e7eb"

Record = Mapping[str, Any]
Place = tuple[float, Record]  # x, and a Frechet distance as an estimate


def plot_rivals(folder: Path, points: Mapping[str, Record]) -> None:
    """Write both plots, as far as anything was measured.

    Raises:
        OSError: if a plot cannot be written.
    """
    records = {name: one for name, one in points.items() if one.get("stages")}
    if not records:
        return
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    time, data = figure.subplots(1, 2)
    depths = sorted({one["depth"] for one in records.values()})
    seconds = points.get(SECONDS, {}).get("seconds_to_draw", {})
    for name, record in records.items():
        marker = MARKERS[depths.index(record["depth"]) % len(MARKERS)]
        if name in seconds:
            draw_line(time, record, times_of(record, seconds[name]), marker)
        draw_line(data, record, parts_of(record), marker)
    label = "seconds a picture" if seconds else "seconds a picture: not measured yet"
    time.set(xscale="log", xlabel=label, ylabel="Frechet distance")
    data.set(xlabel="training pictures seen", ylabel="Frechet distance")
    for place in (time, data):
        draw_limits(place, points)
        place.grid(True, which="both", color=GRID, linewidth=0.5)
    handles, labels = data.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    save(figure, folder / "rivals")


def draw_limits(place: Axes, points: Mapping[str, Record]) -> None:
    """How far real scenes are that only went through what a method draws with."""
    for kind, name in LIMITS.items():
        if found := points.get(name):
            words = f"real, {name.replace('-', ' ')}"
            height = found["frechet"]["value"]
            place.axhline(height, color=COLOURS[kind], linewidth=1, linestyle=":", label=words)


def times_of(record: Record, seconds: Mapping[str, float]) -> list[Place]:
    """Seconds and distance of a method, of diffusion for each number of steps."""
    if by_steps := record.get("by_steps"):
        return [(seconds[steps], one["frechet"]) for steps, one in by_steps.items()]
    return [(next(iter(seconds.values())), record["stages"][-1]["frechet"])]


def parts_of(record: Record) -> list[Place]:
    """Pictures seen and distance after each part of the training."""
    return [(one["pictures"], one["frechet"]) for one in record["stages"]]


def draw_line(place: Axes, record: Record, places: list[Place], marker: str) -> None:
    """Distances with their intervals."""
    x = [one for one, _ in places]
    y = [distance["value"] for _, distance in places]
    low = [distance["value"] - distance["low"] for _, distance in places]
    high = [distance["high"] - distance["value"] for _, distance in places]
    place.errorbar(
        x,
        y,
        [low, high],
        color=COLOURS[record["kind"]],
        marker=marker,
        markersize=5,
        linewidth=1,
        label=f"{record['kind']}, {record['parameters'] / 1e6:.2g} M",
    )
