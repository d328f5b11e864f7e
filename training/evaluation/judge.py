"""Trains a judge that names the first label of a picture, and measures it on unseen pictures.

`python -m training.evaluation.judge --data data/mine --nets data/nets --out runs/judge`
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.data.prepared_set import load_prepared_set
from training.evaluation.features import load_features
from training.evaluation.judge_network import measure_accuracy, save_judge
from training.evaluation.judge_training import JudgeOptions, train_judge
from training.loop.command_line import Settings, run_command
from var_core.option_fields import about, option

JUDGE_FILE = "judge.safetensors"
REPORT_FILE = "judge.json"


@dataclass(frozen=True, kw_only=True)
class JudgeSettings(Settings):
    """Settings of the command."""

    data: str = field(metadata=about("folder that a training.prepare command wrote"))
    nets: str = option("data/nets", "folder of training.prepare.nets")
    out: str = option("runs/judge", "folder to write")
    seed: int = option(0, "seed of all randomness")
    options: JudgeOptions = field(default_factory=JudgeOptions)


def train_and_report(settings: JudgeSettings) -> None:
    """Train on the training pictures, measure on the others, write judge and report.

    Raises:
        ValueError: if pictures or nets cannot be used.
        OSError: if the folder cannot be written.
    """
    data, net = load_prepared_set(settings.data), load_features(settings.nets)
    labels = data.labels[:, 0]
    num_classes = len(data.label_names["attributes"][0]["values"])
    rows = data.splits["train"]
    judge = train_judge(
        data.images[rows], labels[rows], num_classes, settings.seed, net, settings.options
    )
    report: dict[str, Any] = {"seed": settings.seed, "num_classes": num_classes}
    report |= {"num_train": len(rows), "options": asdict(settings.options)}
    for split in ("validation", "held_out"):
        rows = data.splits[split]
        if not len(rows):
            continue
        accuracy = measure_accuracy(judge, data.images[rows], labels[rows])
        report[split] = {"accuracy": accuracy, "n": len(rows)}
        print(f"{split}: {accuracy:.1%} of {len(rows)} pictures")
    out = Path(settings.out)
    save_judge(judge, out / JUDGE_FILE)
    (out / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(train_and_report, JudgeSettings, "Train a judge of drawings.", argv)


if __name__ == "__main__":
    sys.exit(main())
