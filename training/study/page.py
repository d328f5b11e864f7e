"""Makes what the page shows of a study: a picture of the laws, and the numbers of its sentences.

`python -m training.study.page` after `training.study.report`; the background of the
picture is transparent and its ink grey, so that it fits both themes of the page.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from training.loop.command_line import Settings, run_command
from training.study.figures import FITS_FILE
from training.study.plots import write_ticks
from training.study.power_laws import PowerLaw
from training.study.report import RESULTS, read
from training.study.report_tables import exact, number
from training.study.scaling import POINTS_FILE
from training.study.scaling_tables import NAMES
from training.study.settings import KINDS
from var_core.files import write_atomically
from var_core.option_fields import option

PICTURE, NUMBERS = "laws.webp", "study.json"
FIGURE = "loss_all"
COLOURS = {"pictures": "#6c63ff", "captions": "#d97706"}
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
SHOWN = "assets/how"
FEWEST = 4  # sizes, which any three free numbers fit nearly


@dataclass(frozen=True, kw_only=True)
class PageSettings(Settings):
    """What is shown, and where it goes."""

    results: str = option(
        "", "folder of the results of one machine; as a rule, results/laptop beside this"
    )
    out: str = option(SHOWN, "folder that gets the picture and the numbers")


def write_page(settings: PageSettings) -> None:
    """Write picture and numbers.

    Raises:
        ValueError: if there are no laws yet, or the files are damaged.
        OSError: if something cannot be written.
    """
    results = Path(settings.results or RESULTS / "laptop")
    sizes, fits = read(results / POINTS_FILE), read(results / FITS_FILE)
    numbers = numbers_of(sizes, fits)
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / PICTURE, picture_of(sizes, fits))
    write_atomically(out / NUMBERS, (json.dumps(numbers, indent=1) + "\n").encode())


def laws_of(fits: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The law of all tokens by parameters, by kind of network.

    Raises:
        ValueError: if one of the kinds has none yet.
    """
    kinds = fits.get("kinds", {})
    found = {name: one["fits"]["parameters"][FIGURE] for name, one in kinds.items() if one["fits"]}
    if set(found) != set(KINDS):
        raise ValueError("there are no laws of both kinds yet: python -m training.study.scaling")
    return found


def numbers_of(sizes: Mapping[str, Any], fits: Mapping[str, Any]) -> dict[str, str]:
    """The numbers of the page's sentences, as they stand there.

    Raises:
        ValueError: if there is no law yet.
    """
    laws = laws_of(fits)
    about = sizes["about"]
    pictures = records_of(sizes, "pictures")
    count = [one["parameters"] for one in pictures]
    kept_out = fits["kinds"]["pictures"]["kept_out"]
    if kept_out is None or len(set(count)) <= FEWEST:
        raise ValueError(
            f"{len(set(count))} sizes are too few: a law with three free numbers that one size is "
            f"kept out of needs more than {FEWEST}"
        )
    law = laws["pictures"]
    return {
        "networks": str(len(set(count))),
        "runs": str(len(pictures)),
        "smallest": f"{min(count) / 1e6:.2g}",
        "largest": f"{max(count) / 1e6:.2g}",
        "scenes": f"{about['pool'] - about['validation']:,}",
        "limit": number(law["irreducible"]["value"]),
        "exponent": number(law["exponent"]["value"]),
        "low": number(law["exponent"]["low"]),
        "high": number(law["exponent"]["high"]),
        "correlation": exact(law["pearson_r"]),
        "predicted": f"{kept_out[FIGURE]['predicted']['value']:.3f}",
        "measured": f"{kept_out[FIGURE]['measured']:.3f}",
    }


def records_of(sizes: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The points of a kind of network."""
    return [one for one in sizes["points"].values() if one["kind"] == kind]


def picture_of(sizes: Mapping[str, Any], fits: Mapping[str, Any]) -> bytes:
    """Loss against parameters of both kinds, as a WebP with a transparent background."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=INCHES, layout="constrained", facecolor="none")
        place = figure.add_subplot(facecolor="none")
        for kind, law in laws_of(fits).items():
            draw_kind(place, kind, records_of(sizes, kind), law, fits["kinds"][kind]["kept_out"])
        place.set(
            xscale="log", yscale="log", xlabel="parameters", ylabel="loss above its limit, nats"
        )
        write_ticks(place, "parameters")
        place.spines[["top", "right"]].set_visible(False)
        place.legend(frameon=False, labelcolor=INK)
        content = BytesIO()
        figure.savefig(content, dpi=DPI, transparent=True, format="png")
    made = BytesIO()
    Image.open(content).save(made, "WEBP", quality=80, method=6)
    return made.getvalue()


def draw_kind(
    place: Axes,
    kind: str,
    records: Sequence[Mapping[str, Any]],
    fitted: Mapping[str, Any],
    kept_out: Mapping[str, Any] | None,
) -> None:
    """The end of every run, the line of the law, and what was kept out of it as an open mark."""
    irreducible = fitted["irreducible"]["value"]
    law = PowerLaw(fitted["exponent"]["value"], fitted["factor"], 0.0, fitted["pearson_r"])
    left_out = None if kept_out is None else kept_out["parameters"]
    for record in records:
        size = record["parameters"]
        face = "none" if size == left_out else COLOURS[kind]
        above = record[FIGURE] - irreducible
        place.plot(size, above, "o", color=COLOURS[kind], markerfacecolor=face, markersize=7)
    sizes = [one["parameters"] for one in records]
    x = np.geomspace(min(sizes), max(sizes), 50)
    place.plot(x, law.at(x), color=COLOURS[kind], linewidth=1.5, label=NAMES[kind])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(write_page, PageSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
