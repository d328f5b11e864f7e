"""How loss and token error fall with size and compute: of a VAR, and of a language model."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.scenes.pictures import ScenePictures
from training.loop.command_line import run_command
from training.loop.footprint import count_parameters
from training.loop.stop_signals import StopFlag
from training.study.figures import write_figures
from training.study.jobs import paint_scenes, run_to_point, studying
from training.study.next_token_run import CaptionRun
from training.study.points_file import PointsFile
from training.study.settings import SEEDED, ScalingSettings
from training.study.sized_run import SizedRun
from training.study.sizes import Size, count_outside_tables

POINTS_FILE = "points.json"


@dataclass(frozen=True)
class Job:
    """One run: a kind of network of one size, from one seed."""

    kind: str  # "pictures" or "captions"
    size: Size
    seed: int

    @property
    def name(self) -> str:
        """Name of its point and of its folder."""
        return f"{self.kind}-d{self.size.depth:02d}-s{self.seed}"


def jobs_of(settings: ScalingSettings) -> list[Job]:
    """All runs of a study, small ones first."""
    return [
        Job(kind, size, seed)
        for index, size in enumerate(settings.sizes)
        for kind in settings.kinds
        for seed in range(settings.seeds if index < SEEDED else 1)
    ]


def study_sizes(settings: ScalingSettings) -> None:
    """Do what is left of a study, then write fits and plots of what there is.

    Raises:
        ValueError: if data, tokenizer or an earlier study in the folder do not fit.
        OSError: if something cannot be written.
    """
    settings = settings.resolved()
    folder = Path(settings.out)
    with studying(settings) as stop:
        points = PointsFile(folder / POINTS_FILE, settings.about)
        left = [job for job in jobs_of(settings) if job.name not in points.points]
        scenes = paint_scenes(settings, stop) if left else None
        for job in left:
            if scenes is None or stop.is_set or not run_job(job, settings, scenes, points, stop):
                print("stopped; the same command goes on from here")
                break
        write_figures(folder, points)


def run_job(
    job: Job, settings: ScalingSettings, scenes: ScenePictures, points: PointsFile, stop: StopFlag
) -> bool:
    """Do one run; returns whether it came to its end."""
    own = settings.run_settings(job.name, job.size, job.seed)
    run: SizedRun | CaptionRun
    if job.kind == "pictures":
        run = SizedRun(own, scenes, settings.validation)
    else:
        run = CaptionRun(own, scenes, settings.pool, settings.validation)
    about: dict[str, Any] = {
        "kind": job.kind,
        "depth": job.size.depth,
        "width": job.size.width,
        "seed": job.seed,
        "parameters": count_outside_tables(run.transformer),
        "all_parameters": count_parameters(run.transformer),
    }
    return run_to_point(run, run.operations(), stop, points, job.name, about)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(study_sizes, ScalingSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
