"""Pictures of a study for the page: grey ink on a transparent ground, for both of its themes."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from training.study.plots import write_ticks
from training.study.power_laws import PowerLaw
from training.study.rival_plots import times_of
from training.study.rival_reading import METHOD_NAMES
from training.study.scaling_tables import NAMES

FIGURE = "loss_all"
KIND_COLOURS = {"pictures": "#6c63ff", "captions": "#d97706"}
METHOD_COLOURS = {"var": "#6c63ff", "raster": "#d97706", "diffusion": "#0d9488"}
INK = "#7d8590"  # reads on white and on black
STYLE: Any = {  # its annotation names every key that there is
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
INCHES, DPI = (5.0, 3.6), 150

Record = Mapping[str, Any]


def picture_of_laws(
    records: Mapping[str, Sequence[Record]],
    laws: Mapping[str, Record],
    kept_out: Mapping[str, Record | None],
) -> bytes:
    """Loss against parameters, as a WebP.

    Args:
        records: points of all runs, by kind of network.
        laws: the fitted law of the loss of all tokens by parameters, by kind.
        kept_out: the size that each law does not know, by kind.
    """
    with matplotlib.rc_context(STYLE):
        figure, place = empty_picture()
        for kind, law in laws.items():
            draw_kind(place, kind, records[kind], law, kept_out[kind])
        place.set(
            xscale="log", yscale="log", xlabel="parameters", ylabel="loss above its limit, nats"
        )
        write_ticks(place, "parameters")
        return finished(figure, place)


def draw_kind(
    place: Axes, kind: str, records: Sequence[Record], fitted: Record, kept_out: Record | None
) -> None:
    """The end of each size, a mean over seeds, and the law; the size it does not know is open."""
    irreducible = fitted["irreducible"]["value"]
    law = PowerLaw(fitted["exponent"]["value"], fitted["factor"], 0.0, fitted["pearson_r"])
    left_out = None if kept_out is None else kept_out["parameters"]
    colour = KIND_COLOURS[kind]
    sizes = sorted({one["parameters"] for one in records})
    for size in sizes:
        loss = np.mean([one[FIGURE] for one in records if one["parameters"] == size])
        face, above = "none" if size == left_out else colour, loss - irreducible
        place.plot(size, above, "o", color=colour, markerfacecolor=face, markersize=7)
    x = np.geomspace(min(sizes), max(sizes), 50)
    place.plot(x, law.at(x), color=colour, linewidth=1.5, label=NAMES[kind])


def picture_of_rivals(
    records: Mapping[str, Record], seconds: Mapping[str, Mapping[str, float]], limit: float
) -> bytes:
    """Distance to real scenes against seconds a picture, as a WebP; small sizes have open marks.

    Args:
        records: points of the methods, by name.
        seconds: seconds of a picture by number of evaluations, by name.
        limit: distance of real scenes that went through VAR's tokenizer.
    """
    largest = max(one["depth"] for one in records.values())
    with matplotlib.rc_context(STYLE):
        figure, place = empty_picture()
        for name, record in records.items():
            x, y = zip(*times_of(record, seconds[name]), strict=True)
            colour, is_large = METHOD_COLOURS[record["kind"]], record["depth"] == largest
            place.plot(
                x,
                [distance["value"] for distance in y],
                marker="o",
                color=colour,
                linewidth=1.5 if is_large else 0.8,
                markerfacecolor=colour if is_large else "none",
                markersize=7,
                label=METHOD_NAMES[record["kind"]] if is_large else None,
            )
        words = "real scenes, through VAR's tokenizer"
        place.axhline(limit, color=INK, linewidth=1, linestyle=":", label=words)
        place.set(xscale="log", xlabel="seconds a picture", ylabel="distance to real scenes")
        place.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        place.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        place.xaxis.set_minor_formatter(NullFormatter())
        place.yaxis.set_major_locator(MaxNLocator(5))
        return finished(figure, place)


def empty_picture() -> tuple[Figure, Axes]:
    """A figure with one plot, both transparent."""
    figure = Figure(figsize=INCHES, layout="constrained", facecolor="none")
    return figure, figure.add_subplot(facecolor="none")


def finished(figure: Figure, place: Axes) -> bytes:
    """The picture as a WebP."""
    place.spines[["top", "right"]].set_visible(False)
    where = {"loc": "outside upper center", "ncols": 2, "columnspacing": 1.2, "handlelength": 1.2}
    figure.legend(**where, fontsize=9.5, frameon=False, labelcolor=INK)
    content = BytesIO()
    figure.savefig(content, dpi=DPI, transparent=True, format="png")
    made = BytesIO()
    Image.open(content).save(made, "WEBP", quality=80, method=6)
    return made.getvalue()
