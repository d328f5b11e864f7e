"""What came out of the comparison of methods, in Markdown."""

from collections.abc import Mapping
from typing import Any

from training.study.report_tables import interval, millions, number, percent, table, wrapped
from training.study.rival_reading import METHOD_NAMES, reading
from training.study.rival_seconds import SECONDS

THROUGH = "through-"
HEAD = ("method", "parameters", "seen", "options", "Frechet distance", "things right")
HEAD += ("place right", "diversity")


def rival_lines(folder: str, rivals: Mapping[str, Any]) -> list[str]:
    """One table of quality, one of costs, one plot; nothing without points."""
    points = rivals.get("points", {})
    records = {
        name: one for name, one in points.items() if "parameters" in one and not one["variant"]
    }
    if not records:
        return []
    lines = ["### VAR, raster tokens and diffusion", ""]
    rows = [row for record in records.values() for row in stage_rows(record)]
    if rows:
        real = points["real"]
        diversity = interval(real["diversity"])
        limits = [["real scenes", *["-"] * 3, *qualities(real), diversity]]
        nothing = ["-"] * 3
        limits += [
            [through(name), *nothing, *qualities(one), "-"]
            for name, one in points.items()
            if name.startswith(THROUGH)
        ]
        lines += table(HEAD, [*rows, *limits])
        lines += [*distance_words(real["frechet"]), ""]
    else:
        lines += ["Drawings were not measured yet: losses and costs are all there is.", ""]
    lines += cost_table(records, points.get(SECONDS))
    lines += reading(points, points.get(SECONDS, {}).get("seconds_to_draw", {}))
    if rows:
        lines += [f"![quality against time and data]({folder}/plots/rivals.png)", ""]
    return lines


def stage_rows(record: Mapping[str, Any]) -> list[list[str]]:
    """A row for each part of the training of a method."""
    return [
        [
            METHOD_NAMES[record["kind"]],
            millions(record["parameters"]),
            f"{100 * stage['part']:.0f} %",
            words_of(record["choice"]),
            *qualities(stage),
            interval(stage["diversity"]),
        ]
        for stage in record.get("stages", [])
    ]


def qualities(figures: Mapping[str, Any]) -> list[str]:
    """Frechet distance, and how often all things and the place that were asked for are right."""
    right = figures.get("right", {})
    return [interval(figures["frechet"]), percent(right.get("things")), percent(right.get("place"))]


def words_of(choice: Mapping[str, Any]) -> str:
    """Options in words."""
    return ", ".join(f"{name.replace('_', '-')} {value:g}" for name, value in choice.items())


def distance_words(frechet: Mapping[str, Any]) -> list[str]:
    """How distances were measured, in lines."""
    n, references = frechet["n"], frechet["references"]
    words = (
        f"Frechet distance: of {n} drawings to {references:,} real scenes, extrapolated to "
        f"endless drawings as 2 F({n}) - F({n // 2}), the latter a mean over both halves, so that "
        "it can be negative."
    )
    return wrapped(words)


def cost_table(
    records: Mapping[str, Mapping[str, Any]], timed: Mapping[str, Any] | None
) -> list[str]:
    """Sizes, operations and seconds of one picture, and operations of the training of one."""
    seconds = {} if timed is None else timed["seconds_to_draw"]
    rows = [
        [
            METHOD_NAMES[record["kind"]],
            millions(record["parameters"]),
            millions(record["all_parameters"]),
            steps,
            number(operations / 1e9),
            number(seconds.get(name, {}).get(steps)),
            number(record["operations_per_picture"] / 1e9),
        ]
        for name, record in records.items()
        for steps, operations in record["operations_to_draw"].items()
    ]
    head = ["method", "parameters", "with tables and head", "evaluations", "GFLOP to draw"]
    head += ["seconds to draw", "GFLOP to learn from one picture"]
    words = "Seconds are measured when all runs are done."
    if timed is not None:
        words = f"Seconds: all methods took turns, the fastest of {timed['rounds']} rounds."
    return [*table(head, rows), words, ""]


def through(name: str) -> str:
    """What the point of scenes that went through a tokenizer is called."""
    return f"real, through the {name.removeprefix(THROUGH)}"
