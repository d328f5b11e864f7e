"""The measured points of a study: a JSON file that grows as soon as a run is done.

It is all that another machine needs to go on: scenes and their order follow from seeds, so runs
that are done there are not done again. Only checkpoints of a run in progress stay behind.
"""

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from training.loop.checkpoint import PREFIX
from training.loop.processes import device_name
from training.loop.run import Run
from training.loop.train_log import LOG_FILE
from var_core.checkpoints import read_json
from var_core.files import write_atomically

FIGURES = ("loss_all", "loss_last", "error_all", "error_last")
NUM_NOTED = 4  # scenes whose tokens are noted
LEAST_EQUAL = 0.95  # of these tokens: processors round differently


class PointsFile:
    """Points by name, of one study.

    Args:
        path: the JSON file, which need not exist.
        about: what all points have in common.

    Attributes:
        points: points by name.
        made_from: what all points were made from, as far as it was claimed.

    Raises:
        ValueError: if the file is damaged, or holds points of another study.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = dict(about)
        self.made_from: dict[str, str] = {}
        self.points: dict[str, dict[str, Any]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take over what is in the file, as other processes left it, beside what is known.

        Raises:
            ValueError: if the file is damaged, or holds points of another study.
        """
        if not self.path.exists():
            return
        found = read_json(self.path)
        if found.get("about") != self.about or not isinstance(found.get("points"), dict):
            raise ValueError(
                f"{self.path} holds points of another study ({found.get('about')}): choose another "
                f"folder, or its settings"
            )
        self.made_from = self.made_from | found.get("made_from", {})
        self.points = self.points | found["points"]

    def claim(self, name: str, value: str) -> None:
        """Note what the points are made from.

        Raises:
            ValueError: if those that there are were made from something else.
        """
        found = self.made_from.setdefault(name, value)
        if found != value:
            raise ValueError(
                f"{self.path} holds points of other {name} ({found}, here {value}): choose another "
                "folder, or the same"
            )

    def claim_tokens(self, name: str, tokens: Tensor) -> None:
        """Note the tokens of the first scenes, (N, L), so that a machine proves to paint the same.

        Raises:
            ValueError: if more of them differ than rounding explains.
        """
        ours = [str(token) for token in tokens[:NUM_NOTED].flatten().tolist()]
        theirs = self.made_from.setdefault(name, " ".join(ours)).split()
        equal = sum(one == other for one, other in zip(ours, theirs, strict=False))
        if len(ours) != len(theirs) or equal < LEAST_EQUAL * len(ours):
            raise ValueError(
                f"{self.path} holds points of other {name}: of the first scenes, {equal} of "
                f"{len(theirs)} tokens are the same here, at least {LEAST_EQUAL:.0%} must be"
            )

    def add(self, name: str, point: Mapping[str, Any]) -> None:
        """Write a further point beside those that are in the file by now.

        Several processes may add theirs to one file.

        Raises:
            ValueError: if the file has become that of another study.
            OSError: if the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(f".{self.path.name}.lock")):
            self.refresh()
            self.points[name] = dict(point)
            content = {"about": self.about, "made_from": self.made_from, "points": self.points}
            write_atomically(self.path, (json.dumps(content, indent=1) + "\n").encode())


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
