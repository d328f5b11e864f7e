"""Writes what came out, in words and tables, from the points of studies: no number by hand.

`python -m training.study.report` after a study whose results are in `training/study/results`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.loop.command_line import Settings, run_command
from training.study.ablation_tables import ablation_lines, zero_shot_lines
from training.study.figures import FITS_FILE
from training.study.report_tables import hardware_line, settings_line
from training.study.rival_tables import rival_lines
from training.study.scaling_tables import scaling_lines
from var_core.files import write_atomically
from var_core.option_fields import option

RESULTS = Path(__file__).with_name("results")
REPORT_FILE = "README.md"
HEAD = """# What came out of the study

`python -m training.study.report` writes this page from the JSON files beside it; a test compares
them. How it was measured, and what not to conclude, is in [the study's README](../README.md).
"""


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """Where the results are."""

    out: str = option(
        "", "folder with a folder for each machine, gets README.md; as a rule, the one beside this"
    )


def report_text(results: Path) -> str:
    """The page of all results of a folder.

    Raises:
        ValueError: if a file of points is damaged.
    """
    lines = [HEAD]
    folders = sorted(path for path in results.iterdir() if path.is_dir())
    if not folders:
        lines.append("No run is done yet.")
    for folder in folders:
        lines += folder_lines(folder)
    return "\n".join(lines).rstrip("\n") + "\n"


def folder_lines(folder: Path) -> list[str]:
    """The section of one machine."""
    sizes, fits, rivals = (
        read(folder / name) for name in ("points.json", FITS_FILE, "rivals.json")
    )
    points = [*sizes.get("points", {}).values(), *rivals.get("points", {}).values()]
    about = sizes.get("about") or rivals.get("about")
    lines = [f"## On {folder.name}", "", hardware_line(points)]
    lines += [settings_line(about), ""] if about else [""]
    lines += scaling_lines(folder.name, sizes, fits)
    lines += zero_shot_lines(sizes)
    lines += rival_lines(folder.name, rivals)
    lines += ablation_lines(rivals)
    return lines


def read(path: Path) -> Mapping[str, Any]:
    """A JSON file; empty where there is none.

    Raises:
        ValueError: if it is damaged.
    """
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error


def write_report(settings: ReportSettings) -> None:
    """Write the page.

    Raises:
        ValueError: if there are no results, or they are damaged.
        OSError: if it cannot be written.
    """
    results = Path(settings.out or RESULTS)
    if not results.is_dir():
        raise ValueError(f"{results} holds no results")
    path = results / REPORT_FILE
    write_atomically(path, report_text(results).encode())
    print(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(write_report, ReportSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
