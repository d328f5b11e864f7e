"""The seconds that drawings take: of all methods in turn, when all runs are done."""

from training.data.scenes.pictures import ScenePictures
from training.loop.stop_signals import StopFlag
from training.study.artists import artist_of
from training.study.drawing_costs import ROUNDS, drawing_seconds
from training.study.points_file import PointsFile, hardware_of
from training.study.rival_runs import open_rival, rivals_of
from training.study.settings import RivalSettings

SECONDS = "seconds"  # name of their point


def names_to_time(settings: RivalSettings) -> list[str]:
    """Names of the methods of a comparison: what variants take says nothing."""
    return [rival.name for rival in rivals_of(settings) if not rival.variant]


def is_timed(settings: RivalSettings, points: PointsFile) -> bool:
    """Whether the seconds of all methods are known."""
    found = points.points.get(SECONDS, {}).get("seconds_to_draw", {})
    return set(names_to_time(settings)) <= set(found)


def time_rivals(
    settings: RivalSettings, scenes: ScenePictures, points: PointsFile, stop: StopFlag
) -> bool:
    """Measure and write the seconds of all methods; returns whether they are there.

    They are measured together, by one process on one machine, also those of networks that were
    trained elsewhere: seconds follow from the shapes of a network, so that a new one will do.

    Raises:
        ValueError: if tokenizers or scenes cannot be used.
        OSError: if the point cannot be written.
    """
    if is_timed(settings, points):
        return True
    runs = {
        rival.name: open_rival(rival, settings, scenes)
        for rival in rivals_of(settings)
        if not rival.variant
    }
    artists = {name: artist_of(run, run.averaged()) for name, run in runs.items()}
    seconds = drawing_seconds(artists, stop)
    for run in runs.values():
        run.close()
    if seconds is None:
        return False
    hardware = hardware_of(next(iter(runs.values())))
    about = {"kind": SECONDS, "rounds": ROUNDS, "hardware": hardware}
    points.add(SECONDS, about | {"seconds_to_draw": seconds})
    return True
