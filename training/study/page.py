"""Makes what the page shows of a study: two pictures, and the numbers of its sentences.

`python -m training.study.page` after `training.study.report`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.loop.command_line import Settings, run_command
from training.study.figures import FITS_FILE
from training.study.page_pictures import FIGURE, picture_of_laws, picture_of_rivals
from training.study.report import RESULTS, read
from training.study.report_tables import exact, number
from training.study.rival_reading import METHOD_NAMES, THROUGH_CODES, passes_of
from training.study.rival_seconds import SECONDS
from training.study.rivals import POINTS_FILE as RIVALS_FILE
from training.study.scaling import POINTS_FILE
from training.study.settings import KINDS
from var_core.files import write_atomically
from var_core.option_fields import option

LAWS_PICTURE, RIVALS_PICTURE, NUMBERS = "laws.webp", "rivals.webp", "study.json"
SHOWN = "assets/how"
FEWEST = 4  # sizes, which any three free numbers fit nearly

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PageSettings(Settings):
    """What is shown, and where it goes."""

    results: str = option(
        "", "folder of the results of one machine; as a rule, results/laptop beside this"
    )
    out: str = option(SHOWN, "folder that gets the pictures and the numbers")


def write_page(settings: PageSettings) -> None:
    """Write pictures and numbers.

    Raises:
        ValueError: if there are no laws or no compared methods yet, or the files are damaged.
        OSError: if something cannot be written.
    """
    results = Path(settings.results or RESULTS / "laptop")
    sizes, fits = read(results / POINTS_FILE), read(results / FITS_FILE)
    rivals = read(results / RIVALS_FILE)
    numbers = {"laws": numbers_of_laws(sizes, fits), "rivals": numbers_of_rivals(rivals)}
    records = {kind: records_of(sizes, kind) for kind in KINDS}
    kept_out = {kind: fits["kinds"][kind]["kept_out"] for kind in KINDS}
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / LAWS_PICTURE, picture_of_laws(records, laws_of(fits), kept_out))
    seconds = rivals["points"][SECONDS]["seconds_to_draw"]
    limit = rivals["points"][THROUGH_CODES]["frechet"]["value"]
    write_atomically(out / RIVALS_PICTURE, picture_of_rivals(methods_of(rivals), seconds, limit))
    write_atomically(out / NUMBERS, (json.dumps(numbers, indent=1) + "\n").encode())


def laws_of(fits: Record) -> dict[str, Record]:
    """The law of all tokens by parameters, by kind of network.

    Raises:
        ValueError: if one of the kinds has none yet.
    """
    kinds = fits.get("kinds", {})
    found = {name: one["fits"]["parameters"][FIGURE] for name, one in kinds.items() if one["fits"]}
    if set(found) != set(KINDS):
        raise ValueError("there are no laws of both kinds yet: python -m training.study.scaling")
    return found


def numbers_of_laws(sizes: Record, fits: Record) -> dict[str, str]:
    """The numbers of the sentences on the scaling laws, as they stand there.

    Raises:
        ValueError: if there is no law yet.
    """
    laws = laws_of(fits)
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
        "scenes": scenes_of(sizes),
        "limit": number(law["irreducible"]["value"]),
        "exponent": number(law["exponent"]["value"]),
        "low": number(law["exponent"]["low"]),
        "high": number(law["exponent"]["high"]),
        "correlation": exact(law["pearson_r"]),
        "predicted": f"{kept_out[FIGURE]['predicted']['value']:.3f}",
        "measured": f"{kept_out[FIGURE]['measured']:.3f}",
    }


def scenes_of(results: Record) -> str:
    """How many scenes each network learned."""
    about = results["about"]
    return f"{about['pool'] - about['validation']:,}"


def records_of(sizes: Record, kind: str) -> list[Record]:
    """The points of a kind of network."""
    return [one for one in sizes["points"].values() if one["kind"] == kind]


def methods_of(rivals: Record) -> dict[str, Record]:
    """The points of the methods, measured and timed, by name.

    Raises:
        ValueError: if one of the methods was not compared yet.
    """
    points = rivals.get("points", {})
    timed = points.get(SECONDS, {}).get("seconds_to_draw", {})
    found = {name: one for name, one in points.items() if one.get("stages") and name in timed}
    if {one["kind"] for one in found.values()} != set(METHOD_NAMES):
        raise ValueError("not all methods were compared yet: python -m training.study.rivals")
    return found


def numbers_of_rivals(rivals: Record) -> dict[str, Any]:
    """The numbers of the sentences and of the table on the methods, as they stand there.

    Raises:
        ValueError: if one of the methods was not compared yet.
    """
    records = methods_of(rivals)
    points = rivals["points"]
    real, through = (points[name] for name in ("real", THROUGH_CODES))
    seconds = points[SECONDS]["seconds_to_draw"]
    largest = max(one["parameters"] for one in records.values() if one["kind"] == "var")
    depth = max(one["depth"] for one in records.values())
    return {
        "scenes": scenes_of(rivals),
        "largest": f"{largest / 1e6:.2g}",
        "drawings": str(real["frechet"]["n"]),
        "real": number(real["frechet"]["value"]),
        "through": number(through["frechet"]["value"]),
        "place_through": share(through, "place"),
        "rows": [
            row_of(one, seconds[name]) for name, one in records.items() if one["depth"] == depth
        ],
    }


def row_of(record: Record, seconds: Mapping[str, float]) -> list[str]:
    """Method, passes and seconds a picture, distance, shares of right things and places."""
    last = record["stages"][-1]
    passes = passes_of(record, seconds)
    return [
        METHOD_NAMES[record["kind"]],
        passes,
        f"{seconds[passes]:.2g} s",
        number(last["frechet"]["value"]),
        share(last, "things"),
        share(last, "place"),
    ]


def share(figures: Record, topic: str) -> str:
    """How often a topic is right, "-" where nobody judged."""
    right = figures.get("right", {}).get(topic)
    return "-" if right is None else f"{100 * right['value']:.0f} %"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(write_page, PageSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
