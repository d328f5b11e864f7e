"""The ablations, and what networks of each size do untaught, in Markdown."""

from collections.abc import Mapping
from typing import Any

from training.study.report_tables import interval, millions, percent, table
from training.study.rival_tables import distance_words, qualities
from training.study.variants import VARIANTS

Record = Mapping[str, Any]


def ablation_lines(rivals: Record) -> list[str]:
    """The rows of the paper's table, and our own options; those that were measured."""
    points = rivals.get("points", {})
    rows, frechet = [], {}
    for title, name, probe in ablations(points):
        figures = points.get(name, {}).get("probes", {}).get(probe)
        if figures is not None:
            count, frechet = millions(points[name]["parameters"]), figures["frechet"]
            rows.append([title, count, probe, *qualities(figures)])
    if not rows:
        return []
    head = ["network", "parameters", "drawn", "Frechet distance", "things right", "place right"]
    words = "Plain: no guidance, all codes. Top-k: a fifth of the codes. Guided: weight 2 as well."
    return ["### Ablations", "", *table(head, rows), words, *distance_words(frechet), ""]


def ablations(points: Record) -> list[tuple[str, str, str]]:
    """Title, name of the point, and way of drawing of each row."""
    var = [name for name, one in points.items() if one["kind"] == "var" and not one["variant"]]
    var.sort(key=lambda name: points[name]["depth"])
    if not var:
        return []
    small, *larger = var
    raster = small.replace("var", "raster", 1)
    rows = [
        ("raster tokens", raster, "plain"),
        ("VAR without adaptive norm", f"{small}-plain-norm", "plain"),
        ("VAR", small, "plain"),
        ("VAR", small, "top-k"),
        ("VAR", small, "guided"),
        *(("larger VAR", name, "guided") for name in larger),
    ]
    others = {name: one for name, one in VARIANTS.items() if name != "plain-norm"}
    return rows + [(one.title, f"{small}-{name}", "guided") for name, one in others.items()]


def zero_shot_lines(sizes: Record) -> list[str]:
    """Edits and continued scenes by size; nothing where nobody judged."""
    points = sizes.get("points", {}).values()
    records = [one for one in points if one["kind"] == "zero-shot"]
    if not records:
        return []
    rows = []
    for one in sorted(records, key=lambda record: record["parameters"]):
        edits, wide = one["edits"], one["outpainting"]
        right = [percent((found or {}).get("drawn")) for found in (
            edits["new_thing_found"], edits["old_thing_gone"], wide["place_on_both_sides"]
        )]  # fmt: skip
        seams = [interval(part["seam_surplus_of_255"]) for part in (edits, wide)]
        rows.append([millions(one["parameters"]), *right, *seams])
    head = ["parameters", "new thing found", "old thing gone", "place on both new sides"]
    head += ["seam of an edit, of 255", "seam of a continued scene, of 255"]
    return ["### Untaught: edits and continued scenes", "", *table(head, rows)]
