"""How loss and token error fall with size and compute: of a VAR, and of a language model."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.data.scenes.pictures import ScenePictures
from training.loop.command_line import run_command
from training.loop.footprint import count_parameters
from training.loop.stop_signals import StopFlag
from training.study.figures import write_figures
from training.study.held_back import open_scenes
from training.study.jobs import claim_scenes, point_of, studying, train_to_end
from training.study.next_token_run import CaptionRun
from training.study.points_file import PointsFile, forget_checkpoints
from training.study.settings import PYRAMID, SEEDED, ScalingSettings
from training.study.sized_run import SizedRun
from training.study.sizes import Size, count_outside_tables
from training.study.tokenizers import make_tokenizer, side_of
from training.study.zero_shot import claim_judge, zero_shot_figures

POINTS_FILE = "points.json"
PICTURES, ZERO_SHOT = "pictures", "zero-shot"


@dataclass(frozen=True)
class Job:
    """One run: a kind of network of one size from one seed; or what a trained one does untaught."""

    kind: str  # "pictures", "captions" or "zero-shot"
    size: Size
    seed: int

    @property
    def name(self) -> str:
        """Name of its point."""
        return f"{self.kind}-d{self.size.depth:02d}-s{self.seed}"

    @property
    def trained(self) -> "Job":
        """The job whose network it measures: as a rule, itself."""
        return Job(PICTURES, self.size, self.seed) if self.kind == ZERO_SHOT else self


def jobs_of(settings: ScalingSettings) -> list[Job]:
    """All runs of a study, small ones first; each first network draws untaught, if judged."""
    jobs = []
    for index, size in enumerate(settings.sizes):
        seeds = range(settings.seeds if index < SEEDED else 1)
        for kind in settings.kinds:
            if kind == PICTURES and settings.judge:
                jobs.append(Job(kind, size, 0))
                jobs.append(Job(ZERO_SHOT, size, 0))
            jobs += [Job(kind, size, seed) for seed in seeds]
    return list(dict.fromkeys(jobs))


def study_sizes(settings: ScalingSettings) -> None:
    """Do what is left of a study, then write fits and plots of what there is.

    Raises:
        ValueError: if data, tokenizer or an earlier study in the folder do not fit.
        OSError: if something cannot be written.
    """
    settings = settings.resolved()
    folder = settings.results_folder
    with studying(settings) as stop:
        points = PointsFile(folder / POINTS_FILE, settings.about)
        left = [job for job in jobs_of(settings) if job.name not in points.points]
        if left and settings.judge:
            claim_judge(settings, points)
        scenes = open_left(left, settings, points, stop)
        for job in left:
            if scenes is None or stop.is_set or not do_job(job, settings, scenes, points, stop):
                print("stopped; the same command goes on from here")
                break
        points.refresh()
        write_figures(folder, points)


def open_left(
    left: Sequence[Job], settings: ScalingSettings, points: PointsFile, stop: StopFlag
) -> ScenePictures | None:
    """The scenes of jobs, with tokens unless only their captions are read; None if stopped."""
    if not left:
        return None
    claim_scenes(settings, points)
    if all(job.trained.kind != PICTURES for job in left):
        return ScenePictures.open(settings.data)
    scenes = open_scenes(settings.data, side_of(settings))
    return scenes if make_tokenizer(settings, PYRAMID, scenes, points, stop) else None


def do_job(
    job: Job, settings: ScalingSettings, scenes: ScenePictures, points: PointsFile, stop: StopFlag
) -> bool:
    """Do one job and write its point; returns whether it came to its end.

    The network to be measured untaught is trained again where its weights were left on another
    machine; its point stays that of the first run.
    """
    run = open_run(job.trained, settings, scenes)
    about: dict[str, Any] = {
        "kind": job.kind,
        "depth": job.size.depth,
        "width": job.size.width,
        "seed": job.seed,
        "parameters": count_outside_tables(run.transformer),
        "all_parameters": count_parameters(run.transformer),
    }
    is_there = job.kind == ZERO_SHOT and (run.folder / "done").exists()
    if is_there:
        run.close()
    elif not train_to_end(run, stop):
        return False
    if job.kind == ZERO_SHOT:
        points.add(job.name, about | zero_shot_figures(settings, scenes, run.folder))
    else:
        points.add(job.name, point_of(run, run.operations(), about))
    (run.folder / "done").touch()
    forget_checkpoints(run.folder)
    return True


def open_run(job: Job, settings: ScalingSettings, scenes: ScenePictures) -> SizedRun | CaptionRun:
    """The run of a job."""
    own = settings.run_settings(job.name, job.size, job.seed)
    if job.kind == PICTURES:
        return SizedRun(own, scenes, settings.validation)
    return CaptionRun(own, scenes, settings.pool, settings.validation)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(study_sizes, ScalingSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
