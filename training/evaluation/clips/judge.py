"""Trains a judge of clips and measures it on real ones that it never saw.

Run: python -m training.evaluation.clips.judge --data data/motion --out runs/clip_judge
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.data.motion import MovingScene, MovingScenes
from training.data.scenes import SceneRenderer
from training.evaluation.clips.cases import HELD_OUT, TRAINED, clip_cases, paint
from training.evaluation.clips.judge_network import (
    AT_ONCE,
    ClipJudge,
    answers_of,
    judge_clips,
    save_clip_judge,
    shares_right,
)
from training.evaluation.clips.judge_training import ClipJudgeOptions, ClipJudgeTraining
from training.evaluation.features import load_features
from training.loop.command_line import Settings, run_command
from var_core.files import write_atomically
from var_core.option_fields import about, option

JUDGE_FILE = "judge.safetensors"
REPORT_FILE = "judge.json"


@dataclass(frozen=True, kw_only=True)
class ClipJudgeSettings(Settings):
    """Settings of the command."""

    data: str = field(metadata=about("folder of training.prepare.motion"))
    nets: str = option("data/nets", "folder of training.prepare.nets")
    out: str = option("runs/clip_judge", "folder to write; the run there is resumed")
    seed: int = option(0, "seed of all randomness", low=0)
    num_validation: int = option(500, "validation clips to measure on", low=1)
    options: ClipJudgeOptions = field(default_factory=ClipJudgeOptions)


def train_and_report(settings: ClipJudgeSettings) -> None:
    """Train or resume; write judge and report.

    Raises:
        ValueError: if clips, nets or an earlier run in the folder cannot be used.
        OSError: if the folder cannot be written.
    """
    clips, out = MovingScenes.open(settings.data), Path(settings.out)
    net = load_features(settings.nets, settings.options.side)
    training = ClipJudgeTraining(clips.table, net, out, settings.seed, settings.options)
    judge = training.run()
    save_clip_judge(judge, out / JUDGE_FILE)
    report: dict[str, Any] = {"seed": settings.seed, "options": asdict(settings.options)}
    for name in (TRAINED, HELD_OUT):
        real = [case.clip for case in clip_cases(clips, name, settings.num_validation)]
        found = judge_real(judge, training.renderer, real, settings.options.clip_side)
        asked = [answers_of(clip, judge.topics) for clip in real]
        report[name] = {"n": len(real), **shares_right(found, asked)}
    text = json.dumps(report, indent=1)
    write_atomically(out / REPORT_FILE, text.encode())
    print(text)


def judge_real(
    judge: ClipJudge, renderer: SceneRenderer, clips: list[MovingScene], side: int, frames: int = 0
) -> list[tuple[int, int]]:
    """What the judge finds in real clips; 0 frames are all of them."""
    found: list[tuple[int, int]] = []
    for start in tqdm(range(0, len(clips), AT_ONCE), desc="judging", disable=None):
        found += judge_clips(judge, paint(renderer, clips[start : start + AT_ONCE], side, frames))
    return found


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(train_and_report, ClipJudgeSettings, "Train a judge of clips.", argv)


if __name__ == "__main__":
    sys.exit(main())
