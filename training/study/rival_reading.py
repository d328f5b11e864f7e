"""What the comparison of methods says, in sentences that follow from its points."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.study.report_tables import millions, number, wrapped

METHOD_NAMES = {"var": "VAR", "raster": "raster tokens", "diffusion": "diffusion"}
THROUGH_CODES = "through-pyramid-tokenizer"

Record = Mapping[str, Any]


def reading(points: Mapping[str, Record], seconds: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A list in Markdown: the nearest method of each size, what it costs, what the tokenizer costs.

    Args:
        points: points of the comparison, by name.
        seconds: seconds of a picture by number of passes, by name; empty before they are measured.
    """
    measured = {name: one for name, one in points.items() if one.get("stages")}
    lines = []
    for depth in sorted({one["depth"] for one in measured.values()}):
        of_size = {name: one for name, one in measured.items() if one["depth"] == depth}
        if len(of_size) < len(METHOD_NAMES):
            continue
        lines.append(quality_line(list(of_size.values())))
        if set(of_size) <= set(seconds):
            lines.append(cost_line(of_size, seconds))
    if lines and THROUGH_CODES in points:
        lines.append(limit_line(points))
    return [*(part for line in lines for part in wrapped(line)), ""] if lines else []


def quality_line(records: Sequence[Record]) -> str:
    """Which method is nearest to real scenes after the whole training, and which as near."""
    by_distance = sorted(records, key=lambda one: last_distance(one)["value"])
    told = ", ".join(
        f"{METHOD_NAMES[one['kind']]} {number(last_distance(one)['value'])}" for one in by_distance
    )
    nearest, *others = by_distance
    high = last_distance(nearest)["high"]
    near = [METHOD_NAMES[one["kind"]] for one in others if last_distance(one)["low"] <= high]
    words = f"the interval of {' and of '.join(near)} meets that of the first" if near else (
        "no interval meets that of the first"
    )  # fmt: skip
    size = millions(next(one["parameters"] for one in records if one["kind"] == "var"))
    return f"- Frechet distance at {size}: {told}; {words}."


def cost_line(records: Mapping[str, Record], seconds: Mapping[str, Mapping[str, float]]) -> str:
    """Seconds of a picture, and how many times those of VAR."""
    found = {one["kind"]: seconds_of(one, seconds[name]) for name, one in records.items()}
    own = found["var"]
    told = [
        f"{METHOD_NAMES[kind]} {number(found[kind])} s ({found[kind] / own:.1f} times)"
        for kind in METHOD_NAMES
        if kind != "var"
    ]
    return f"- A picture, drawn so: VAR {number(own)} s, {', '.join(told)}."


def limit_line(points: Mapping[str, Record]) -> str:
    """How far real scenes are that went through the tokenizer alone."""
    real, through = (points[name]["frechet"]["value"] for name in ("real", THROUGH_CODES))
    drawn = [last_distance(one)["value"] for one in points.values() if one.get("stages")]
    least, most = (f"{100 * through / far:.0f}" for far in (max(drawn), min(drawn)))
    return (
        f"- Real scenes lie {number(real)} from others, and {number(through)} once they went "
        f"through VAR's tokenizer: as much as {least} to {most} % of the distances of drawings."
    )


def last_distance(record: Record) -> Record:
    """Frechet distance after the whole training, an estimate."""
    return record["stages"][-1]["frechet"]


def seconds_of(record: Record, seconds: Mapping[str, float]) -> float:
    """Seconds of a picture that is drawn as its method chose."""
    return seconds[passes_of(record, seconds)]


def passes_of(record: Record, seconds: Mapping[str, float]) -> str:
    """Passes of a picture that is drawn as its method chose."""
    return str(record["choice"].get("steps") or next(iter(seconds)))
