"""VAR, next tokens of a raster, and diffusion: the same scenes, blocks, sizes and steps."""

import logging
import sys
from collections.abc import Sequence

from training.data.scenes.pictures import ScenePictures
from training.loop.command_line import run_command
from training.loop.footprint import count_parameters
from training.loop.stop_signals import StopFlag
from training.study.artists import artist_of
from training.study.drawing_costs import drawing_operations
from training.study.gauge import Gauge, StoppedError, nets_are_there
from training.study.held_back import open_scenes
from training.study.jobs import claim_scenes, point_of, studying
from training.study.points_file import PointsFile, forget_checkpoints
from training.study.rival_figures import measure_limits, rival_figures
from training.study.rival_plots import plot_rivals
from training.study.rival_runs import (
    Rival,
    about_rival,
    check_parameters,
    open_rival,
    rivals_of,
)
from training.study.rival_seconds import is_timed, time_rivals
from training.study.settings import PYRAMID, RASTER, RivalSettings
from training.study.sizes import count_outside_tables
from training.study.stages import train_in_stages
from training.study.tokenizers import make_tokenizer, side_of
from training.study.zero_shot import claim_judge

logger = logging.getLogger(__name__)

POINTS_FILE = "rivals.json"


def compare_rivals(settings: RivalSettings) -> None:
    """Do what is left of a comparison, then plot what there is.

    Raises:
        ValueError: if the data or an earlier comparison in the folder do not fit.
        OSError: if something cannot be written.
    """
    settings = settings.resolved()
    folder = settings.results_folder
    with studying(settings) as stop:
        points = PointsFile(folder / POINTS_FILE, settings.about)
        left = [one for one in rivals_of(settings) if one.name not in points.points]
        is_done = not left and is_timed(settings, points)
        try:
            is_done = is_done or do_rivals(left, settings, points, stop)
        except StoppedError:
            is_done = False
        if not is_done:
            print("stopped; the same command goes on from here")
        points.refresh()
        plot_rivals(folder / "plots", points.points)


def do_rivals(
    left: Sequence[Rival], settings: RivalSettings, points: PointsFile, stop: StopFlag
) -> bool:
    """Make tokenizers, train and measure rivals, time them; returns whether all is done.

    Raises:
        StoppedError: if a request to stop came while something was measured.
    """
    claim_scenes(settings, points)
    scenes = open_scenes(settings.data, side_of(settings))
    gauge = open_gauge(settings, points, scenes, stop)
    if not all(make_tokenizer(settings, name, scenes, points, stop) for name in (PYRAMID, RASTER)):
        return False
    if gauge is not None:
        measure_limits(settings, points, gauge)
    return all(
        not stop.is_set and do_rival(rival, settings, scenes, points, gauge, stop) for rival in left
    ) and time_rivals(settings, scenes, points, stop)


def open_gauge(
    settings: RivalSettings, points: PointsFile, scenes: ScenePictures, stop: StopFlag
) -> Gauge | None:
    """What drawings are measured with; None without nets, when losses and costs are all.

    Raises:
        ValueError: if the points that there are were measured otherwise.
    """
    if settings.judge:
        claim_judge(settings, points)
    else:
        points.claim("judge", "")
    points.claim("nets", "nets" if nets_are_there(settings.nets) else "")
    if not nets_are_there(settings.nets):
        logger.warning("no nets in %s: drawings are not measured", settings.nets)
        return None
    return Gauge.open(settings, scenes, points.made_from["scenes"], stop)


def do_rival(
    rival: Rival,
    settings: RivalSettings,
    scenes: ScenePictures,
    points: PointsFile,
    gauge: Gauge | None,
    stop: StopFlag,
) -> bool:
    """Train and measure one rival and write its point; returns whether it came to its end."""
    run = open_rival(rival, settings, scenes)
    parameters = count_outside_tables(run.transformer)
    check_parameters(parameters, rival.size)
    if not train_in_stages(run, stop):
        return False
    about = about_rival(rival) | {
        "parameters": parameters,
        "all_parameters": count_parameters(run.transformer),
        "operations_to_draw": drawing_operations(artist_of(run, run.averaged())),
    }
    figures = {} if gauge is None else rival_figures(rival, run, gauge)
    points.add(rival.name, point_of(run, run.operations(), about) | figures)
    forget_checkpoints(run.folder)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run_command(compare_rivals, RivalSettings, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
