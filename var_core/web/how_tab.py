"""The tab How it works: one drawing in pictures, and what came out of the study.

Made by `python -m tests.explaining` and `python -m training.study.page`.
"""

import base64
import json
from collections.abc import Sequence
from html import escape
from string import Template

import gradio as gr

from var_core.web.assets import asset_path, read_asset
from var_core.web.events import QUICK

FOLDER = "how"
PICTURES = ("maps", "added", "pictures", "mask", "input", "entropy", "tokens", "after")
PICTURES += ("laws", "rivals")


class HowTab:
    """One screen that explains next-scale prediction; it is fetched when it is first opened."""

    def __init__(self) -> None:
        with gr.Tab("How it works", id="how") as self.tab:
            shown = gr.HTML("", elem_id="how")
        self.tab.select(how_html, None, shown, **QUICK)


def how_html() -> str:
    """The pictures with their sentences."""
    told, studied = (json.loads(read_asset(f"{FOLDER}/{name}.json")) for name in ("how", "study"))
    shapes: list[tuple[int, int]] = told["shapes"]
    grids = [f"{width}\N{MULTIPLICATION SIGN}{height}" for height, width in shapes]
    step: int = told["step"]
    values = {
        **{name: picture_url(name) for name in PICTURES},
        **studied["laws"],
        **{f"rivals_{name}": value for name, value in studied["rivals"].items()},
        "rivals_rows": "".join(map(row_html, studied["rivals"]["rows"])),
        "grids": ", ".join(grids),
        "sides": "".join(f"<span>{grid}</span>" for grid in grids),
        "scales": len(shapes),
        "total": sum(height * width for height, width in shapes),
        "codes": f"{told['codes']:,}",
        "grid": grids[step - 1],
        "step": step,
        "bits": told["bits"],
        "words": told["words"],
    }
    return Template(read_asset(f"{FOLDER}/how.html")).substitute(values)


def row_html(cells: Sequence[str]) -> str:
    """A row of a table, whose first cell names it."""
    name, *others = map(escape, cells)
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def picture_url(name: str) -> str:
    """A picture of this tab as a data URL."""
    content = asset_path(f"{FOLDER}/{name}.webp").read_bytes()
    return f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}"
