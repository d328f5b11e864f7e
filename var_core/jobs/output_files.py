"""Finished pictures on disk."""

from pathlib import Path

from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress
from var_core.labels import LabelSpace
from var_core.model_info import ModelInfo
from var_core.wishes import Wish

MAX_NAME = 80  # characters


def save_pictures(
    info: ModelInfo, progress: JobProgress, folder: Path, with_recipe: bool
) -> list[Path]:
    """Write every picture of a job as PNG, and for several pictures a contact sheet.

    Args:
        info: model that drew them.
        progress: a finished job.
        folder: folder for this job alone.
        with_recipe: whether to write recipes into the files.

    Returns:
        The paths; that of the contact sheet comes last.

    Raises:
        OSError: if there is no space or no permission.
    """
    paths: list[Path] = []
    recipes = progress.recipes(info)
    for index, image in enumerate(progress.frames[-1]):
        seed, recipe = progress.request.seeds[index], recipes[index]
        words = "edited" if recipe is None else _words_of(info.labels, progress.wishes[index])
        path = folder / f"{words[:MAX_NAME]}-seed{seed}.png"
        if path in paths:  # a sheet draws a label and a seed more than once
            path = path.with_stem(f"{path.stem}-{index + 1}")
        write_png(path, image, recipe if with_recipe else None)
        paths.append(path)
    if len(paths) > 1:
        paths.append(folder / "sheet.png")
        comparison = progress.request.comparison
        recipe = comparison.recipe(info, progress.dtype) if comparison and with_recipe else None
        write_png(paths[-1], progress.sheet(len(progress.frames)), recipe)
    return paths


def _words_of(labels: LabelSpace, wish: Wish) -> str:
    drawn = [*wish.phrases, *(name or "any" for name in labels.names(wish.label).values())]
    return "-".join("".join(c if c.isalnum() else "-" for c in word) for word in drawn) or "any"
