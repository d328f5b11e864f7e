"""Finished pictures on disk."""

from pathlib import Path

from var_core.jobs.png_recipe import recipe_of, write_png
from var_core.jobs.requests import EditRequest
from var_core.jobs.runs import Run
from var_core.labels import LabelSpace

MAX_NAME = 80  # characters


def recipes_of(labels: LabelSpace, model_name: str, run: Run) -> list[dict] | list[None]:
    """The recipe of every picture of a run; each alone is enough to draw its picture again.

    Edits have none: no recipe could make them again without the picture.
    """
    request = run.request
    if isinstance(request, EditRequest):
        return [None] * len(request.labels)
    return [
        recipe_of(
            labels,
            model_name,
            label,
            request.seeds[index],
            request.options[index],
            run.dtype,
            [tokens[index] for tokens in request.keep],
        )
        for index, label in enumerate(request.labels)
    ]


def save_run(
    labels: LabelSpace, model_name: str, run: Run, folder: Path, with_recipe: bool
) -> list[Path]:
    """Write every picture of a run as PNG, and of several the sheet; the sheet comes last.

    Args:
        labels: of the model that drew them.
        model_name: written into the recipes.
        run: finished.
        folder: of this run alone.
        with_recipe: whether the files carry their recipes.

    Raises:
        OSError: if there is no space or no permission.
    """
    paths: list[Path] = []
    recipes = recipes_of(labels, model_name, run)
    for image, label, recipe in zip(run.frames[-1], run.labels, recipes, strict=True):
        drawn = [name or "any" for name in labels.names(label).values()]
        words = "-".join("".join(c if c.isalnum() else "-" for c in word) for word in drawn)
        path = folder / f"{words[:MAX_NAME]}-seed{recipe['seed']}.png"
        if path in paths:  # a sweep draws a label and a seed more than once
            path = path.with_stem(f"{path.stem}-guidance{recipe['guidance_scale']:g}")
        write_png(path, image, recipe if with_recipe else None)
        paths.append(path)
    if len(paths) > 1:
        paths.append(folder / "sheet.png")
        write_png(paths[-1], run.sheet(len(run.frames)), None)
    return paths
