"""What came out of the comparison of methods, in Markdown."""

from collections.abc import Mapping
from typing import Any

from training.study.report_tables import interval, millions, number, percent, table

THROUGH = "through-"
HEAD = ("method", "parameters", "seen", "options", "Frechet distance", "things right", "diversity")


def rival_lines(folder: str, rivals: Mapping[str, Any]) -> list[str]:
    """One table of quality, one of costs, one plot; nothing without points."""
    points = rivals.get("points", {})
    records = [one for one in points.values() if "parameters" in one and not one["variant"]]
    if not records:
        return []
    lines = ["### VAR, raster tokens and diffusion", ""]
    rows = [row for record in records for row in stage_rows(record)]
    if rows:
        real = points["real"]
        diversity = interval(real["diversity"])
        limits = [["real scenes", *["-"] * 3, interval(real["frechet"]), things(real), diversity]]
        nothing = ["-"] * 3
        limits += [
            [through(name), *nothing, interval(one["frechet"]), things(one), "-"]
            for name, one in points.items()
            if name.startswith(THROUGH)
        ]
        lines += table(HEAD, [*rows, *limits])
        lines += [f"Drawings for each distance: {real['frechet']['n']}.", ""]
    else:
        lines += ["Drawings were not measured yet: losses and costs are all there is.", ""]
    lines += cost_table(records)
    if rows:
        lines += [f"![quality against time and data]({folder}/plots/rivals.png)", ""]
    return lines


def stage_rows(record: Mapping[str, Any]) -> list[list[str]]:
    """A row for each part of the training of a method."""
    return [
        [
            record["kind"],
            millions(record["parameters"]),
            f"{100 * stage['part']:.0f} %",
            words_of(record["choice"]),
            interval(stage["frechet"]),
            things(stage),
            interval(stage["diversity"]),
        ]
        for stage in record.get("stages", [])
    ]


def things(figures: Mapping[str, Any]) -> str:
    """How often all things that were asked for are right."""
    return percent(figures.get("right", {}).get("things"))


def words_of(choice: Mapping[str, Any]) -> str:
    """Options in words."""
    return ", ".join(f"{name.replace('_', '-')} {value:g}" for name, value in choice.items())


def cost_table(records: list[Mapping[str, Any]]) -> list[str]:
    """Operations and seconds of one picture, and of the training of one."""
    rows = [
        [
            record["kind"],
            millions(record["parameters"]),
            steps,
            number(cost["operations"] / 1e9),
            number(cost["seconds"]),
            number(record["operations_per_picture"] / 1e9),
        ]
        for record in records
        for steps, cost in record["drawing"].items()
    ]
    head = ["method", "parameters", "evaluations", "GFLOP to draw", "seconds to draw"]
    return table([*head, "GFLOP to learn from one picture"], rows)


def through(name: str) -> str:
    """What the point of scenes that went through a tokenizer is called."""
    return f"real, through the {name.removeprefix(THROUGH)}"
