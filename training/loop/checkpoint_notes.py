"""What a checkpoint notes of its run beside tensors, compared with the run that goes on from it."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.loop.checkpoint import MAX_STEP
from training.loop.run_settings import RunSettings
from var_core.ranges import check_float, check_int, check_kind

logger = logging.getLogger(__name__)

Notes = Mapping[str, Any]


def check_notes(folder: Path, notes: Notes) -> None:
    """Check that notes are what they should be.

    Raises:
        ValueError: if one of them is not.
    """
    where = f"{folder}: {{}} of the checkpoint"
    for name, low in (("processes", 1), ("skipped", 0), ("skipped_in_row", 0)):
        check_int(where.format(name), notes.get(name), low, MAX_STEP)
    if "pictures_seen" in notes:  # which old versions did not note
        check_int(where.format("pictures_seen"), notes["pictures_seen"], 0, MAX_STEP)
    if "seconds" in notes:
        check_float(where.format("seconds"), notes["seconds"], 0, MAX_STEP)
    check_kind(where.format("made_from"), notes.get("made_from", {}), dict)
    check_kind(where.format("config"), notes.get("config"), dict)


def check_same_origin(folder: Path, notes: Notes, made_from: Mapping[str, str]) -> None:
    """Check that a run goes on from what it was begun with.

    Args:
        folder: folder of the run.
        notes: notes of its checkpoint.
        made_from: hashes of what its weights mean nothing without, by name.

    Raises:
        ValueError: if one of them differs from that of the checkpoint.
    """
    before = notes.get("made_from", {})
    for name, found in made_from.items():
        if before.get(name, found) != found:
            raise ValueError(
                f"{folder} was trained with another {name}, whose codes meant something else: "
                "choose another folder, or delete this one to begin anew"
            )


def check_same_processes(
    folder: Path, notes: Notes, num_processes: int, settings: RunSettings
) -> None:
    """Check that as many processes go on as there were; sums of others round otherwise.

    Raises:
        ValueError: if they are not as many, and the settings do not allow that.
    """
    if notes["processes"] == num_processes:
        return
    found = f"{folder} was trained by {notes['processes']} processes, not by {num_processes}"
    if not settings.continue_with_other_processes:
        raise ValueError(
            f"{found}: start as many, or add --continue-with-other-processes, which is not "
            "bit for bit the same"
        )
    logger.warning("%s: from here on sums round otherwise", found)


def warn_of_changes(notes: Notes, settings: RunSettings) -> None:
    """Log every setting that is not what it was until the step of a checkpoint."""
    all_settings = asdict(settings)
    for name, value in notes["config"].items():
        now = all_settings.get(name)
        if (list(now) if isinstance(now, tuple) else now) != value:
            logger.warning("%s was %s until step %d, now it is %s", name, value, notes["step"], now)
