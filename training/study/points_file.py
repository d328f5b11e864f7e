"""The measured points of a study: a JSON file that grows as soon as a run is done."""

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from training.loop.checkpoint import PREFIX
from training.loop.processes import device_name
from training.loop.run import Run
from training.loop.train_log import LOG_FILE
from var_core.checkpoints import read_json
from var_core.files import write_atomically

FIGURES = ("loss_all", "loss_last", "error_all", "error_last")


class PointsFile:
    """Points by name, of one study.

    Args:
        path: the JSON file, which need not exist.
        about: what all points have in common.

    Raises:
        ValueError: if the file is damaged, or holds points of another study.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = dict(about)
        self.points: dict[str, dict[str, Any]] = {}
        if path.exists():
            found = read_json(path)
            if found.get("about") != self.about:
                raise ValueError(
                    f"{path} holds points of another study ({found.get('about')}): choose another "
                    f"--out, or its settings"
                )
            self.points = found["points"]

    def add(self, name: str, point: Mapping[str, Any]) -> None:
        """Write a further point.

        Raises:
            OSError: if the file cannot be written.
        """
        self.points[name] = dict(point)
        text = json.dumps({"about": self.about, "points": self.points}, indent=1)
        write_atomically(self.path, (text + "\n").encode())


def curve_of(run: Run[Any, Any], operations: int) -> list[dict[str, float]]:
    """The validation figures of a run from its log, with pictures and compute so far.

    Args:
        run: a run of the study.
        operations: floating-point operations that a picture costs.
    """
    lines = (run.folder / LOG_FILE).read_text("utf-8").splitlines()
    found = []
    for record in map(json.loads, lines):
        names = [name for name in FIGURES if name in record]
        if names:
            pictures = record["pictures"]
            point = {"pictures": pictures, "compute": float(pictures * operations)}
            found.append(point | {name: record[name] for name in names})
    return found


def hardware_of(run: Run[Any, Any]) -> dict[str, Any]:
    """Where and with what a run was made."""
    device = run.accelerator.device
    return {
        "device": cpu_name() if device.type == "cpu" else device_name(device),
        "threads": torch.get_num_threads(),
        "torch": version("torch"),
    }


def cpu_name() -> str:
    """Name of the processor, as the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "cpu"


def forget_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that is done; its model stays."""
    for path in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(path)
