"""Trains a judge of scenes and measures it on real ones that it never saw.

`python -m training.evaluation.scenes.judge --data data/scenes --nets data/nets --out runs/judge`
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.data.scenes import Scene, SceneRenderer, make_validation_scene, read_table
from training.evaluation.features import load_features
from training.evaluation.scenes.decisions import Marks, join_marks, mark
from training.evaluation.scenes.judge_network import SceneJudge, judge_images, save_scene_judge
from training.evaluation.scenes.judge_training import JudgeTraining, SceneJudgeOptions
from training.evaluation.scenes.questions import things_of, topics_of
from training.evaluation.scenes.rates import rate
from training.loop.command_line import Settings, run_command
from var_core.files import write_atomically
from var_core.option_fields import about, option

JUDGE_FILE = "judge.safetensors"
REPORT_FILE = "judge.json"
PICTURE_SIDE = 256
AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class SceneJudgeSettings(Settings):
    """Settings of the command."""

    data: str = field(metadata=about("folder of training.prepare.scenes"))
    nets: str = option("data/nets", "folder of training.prepare.nets")
    out: str = option("runs/judge", "folder to write; the run there is resumed")
    seed: int = option(0, "seed of all randomness", low=0)
    num_validation: int = option(1000, "validation scenes to measure on", low=1)
    options: SceneJudgeOptions = field(default_factory=SceneJudgeOptions)


def train_and_report(settings: SceneJudgeSettings) -> None:
    """Train or resume; write judge and report.

    Raises:
        ValueError: if sprites, nets or an earlier run in the folder cannot be used.
        OSError: if the folder cannot be written.
    """
    table, net, out = read_table(Path(settings.data)), load_features(settings.nets), settings.out
    training = JudgeTraining(
        table, topics_of(table), net, Path(out), settings.seed, settings.options
    )
    judge = training.run()
    save_scene_judge(judge, Path(out) / JUDGE_FILE)
    scenes = [make_validation_scene(table, index) for index in range(settings.num_validation)]
    report: dict[str, Any] = {"seed": settings.seed, "options": asdict(settings.options)}
    report["validation"] = accuracies(judge_scenes(judge, training.renderer, scenes))
    for count in (1, 2, 3):
        some = [scene for scene in scenes if len(things_of(scene)) == count]
        if some:
            marks = judge_scenes(judge, training.renderer, some)
            report[f"validation_with_{count}_things"] = accuracies(marks)
    text = json.dumps(report, indent=1)
    write_atomically(Path(out) / REPORT_FILE, text.encode())
    print(text)


def judge_scenes(judge: SceneJudge, renderer: SceneRenderer, scenes: list[Scene]) -> Marks:
    """The judge's marks for real scenes, painted in full size."""
    parts = []
    for start in tqdm(range(0, len(scenes), AT_ONCE), desc="judging", disable=None):
        some = scenes[start : start + AT_ONCE]
        parts.append(mark(judge_images(judge, renderer.render(some, PICTURE_SIDE)), some))
    return join_marks(parts)


def accuracies(marks: Marks) -> dict[str, Any]:
    """Question -> part of the pictures that are judged right, with n and interval."""
    found = {name: rate(signs) for name, signs in marks.items()}
    return {name: one for name, one in found.items() if one is not None}


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(train_and_report, SceneJudgeSettings, "Train a judge of scenes.", argv)


if __name__ == "__main__":
    sys.exit(main())
