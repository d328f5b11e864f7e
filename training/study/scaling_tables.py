"""What came out of the study of sizes, in Markdown."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from training.study.plots import LABELS, TITLES
from training.study.points_file import FIGURES
from training.study.report_tables import exact, interval, millions, number, table, wrapped
from training.study.settings import KINDS

PUBLISHED_R = -0.998  # of arXiv 2404.02905, about, of all lines
NAMES = {"pictures": "VAR", "captions": "Language model"}


def scaling_lines(folder: str, sizes: Mapping[str, Any], fits: Mapping[str, Any]) -> list[str]:
    """Runs, laws and a reading; nothing without points."""
    points = list(sizes.get("points", {}).values())
    lines = []
    for kind in KINDS:
        records = [one for one in points if one["kind"] == kind]
        if records:
            lines += [f"### {NAMES[kind]}: loss by size", "", *run_table(records)]
            lines += law_lines(folder, kind, fits)
    return lines


def run_table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each size: means over the seeds."""
    names = [name for name in FIGURES if name in records[0]]
    head = ["parameters", "depth", "seeds", "training FLOP", *(TITLES[name] for name in names)]
    rows = []
    for depth in sorted({one["depth"] for one in records}):
        some = [one for one in records if one["depth"] == depth]
        start = [millions(some[0]["parameters"]), str(depth), str(len(some))]
        start.append(number(some[0]["compute"]))
        rows.append([*start, *(exact(mean(one[name] for one in some)) for name in names)])
    return table(head, rows)


def law_lines(folder: str, kind: str, fits: Mapping[str, Any]) -> list[str]:
    """The laws of a kind beside the published ones, the size that was kept out, and a reading."""
    found = fits.get("kinds", {}).get(kind)
    if not found or not found["fits"]:
        return ["There are too few sizes for a law yet.", ""]
    head = ["law", "exponent", "irreducible", "r", "r with E = 0", "published exponent"]
    rows = []
    for axis, some in found["fits"].items():
        for name, law in some.items():
            published = fits["published_exponents"][axis][name] if kind == "pictures" else None
            plain = law["without_irreducible"]["pearson_r"]
            start = [f"{TITLES[name]}, by {LABELS[axis]}", interval(law["exponent"])]
            start += [interval(law["irreducible"]), exact(law["pearson_r"]), exact(plain)]
            rows.append([*start, number(published)])
    pictures = [f"![{kind} by {axis}]({folder}/plots/{kind}-{axis}.png)" for axis in found["fits"]]
    words = "Fitted to means over seeds. Intervals: 95 %, what other seeds of the same sizes change"
    lines = [*table(head, rows), f"{words}; {found['runs']} runs.", ""]
    lines += kept_out_lines(found["kept_out"])
    if kind == "pictures":
        lines += reading(found["fits"])
    return [*lines, *pictures, ""]


def kept_out_lines(kept_out: Mapping[str, Any] | None) -> list[str]:
    """What the laws predicted of the size that they were not fitted to."""
    if kept_out is None:
        return []
    rows = [
        [TITLES[name], interval(kept_out[name]["predicted"]), exact(kept_out[name]["measured"])]
        for name in FIGURES
        if name in kept_out
    ]
    title = f"Kept out of the fits: depth {kept_out['depth']}, {millions(kept_out['parameters'])}."
    return [title, "", *table(["", "predicted", "measured"], rows)]


def reading(fits: Mapping[str, Any]) -> list[str]:
    """Whether the published correlation was reached, with a fitted irreducible part and without."""
    lines = []
    for axis, some in fits.items():
        if (law := some.get("loss_all")) is None:
            continue
        for words, r in (
            ("with E fitted", law["pearson_r"]),
            ("with E = 0", law["without_irreducible"]["pearson_r"]),
        ):
            reached = "reaches" if r is not None and r <= PUBLISHED_R else "does not reach"
            lines += wrapped(
                f"- Loss of all tokens by {LABELS[axis]}, {words}: r = {exact(r)}, which {reached} "
                f"the published {PUBLISHED_R}."
            )
    return [*lines, ""]
