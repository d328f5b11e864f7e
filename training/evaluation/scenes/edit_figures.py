"""Figures of editing and out-painting."""

from itertools import islice
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from training.evaluation.scenes.decisions import likeliest
from training.evaluation.scenes.edit_cases import edit_cases
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.intervals import mean_estimate, to_json, wilson
from training.evaluation.scenes.judge_network import judge_images
from training.evaluation.scenes.measured_model import Bench
from training.evaluation.scenes.prompts import validation_scenes
from training.evaluation.scenes.questions import right_answers, things_of
from training.evaluation.scenes.rates import rates
from var_core.editing import Margins
from var_core.editing.masks import feather_width, grow
from var_core.images import tensor_to_images, uint8_to_tensor
from var_core.sampling import generators_from_seeds

NUM_EDITS = 200
NUM_OUTPAINTED = 100
SIDES = ("left", "right")


def border_step(picture: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute step between neighbours on both sides of a mask's border, of 255.

    Args:
        picture: (H, W, 3) uint8.
        mask: (H, W) bool, with a border inside the picture.
    """
    pixels = picture.astype(np.float32)
    steps = [
        np.abs(np.diff(pixels, axis=axis)).mean(axis=-1)[np.diff(mask, axis=axis)]
        for axis in (0, 1)
    ]
    return float(np.concatenate(steps).mean())


def edit_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(i) A masked thing becomes another one; only the new one is named.

    With k things in the picture, the new one is found if it is among the k likeliest; the old one
    is gone if it is not among the k + 1 likeliest.
    """
    cases = list(islice(edit_cases(bench.pictures), bench.size(NUM_EDITS)))
    found, gone, surplus, exact = [], [], [], 0
    for seed, case in enumerate(tqdm(cases, desc="editing", unit="edit", disable=None)):
        painted = bench.paint([case.scene, case.wanted])
        before, wanted = tensor_to_images(painted)
        generators = generators_from_seeds([seed], bench.pipeline.device)
        output = bench.pipeline.edit(
            before, case.mask, prompt=[[case.phrase]], generator=generators
        )
        after = np.asarray(first_image(output.images))
        scores = judge_images(bench.judge, torch.cat([uint8_to_tensor(after[None]), painted[1:]]))
        count = len(things_of(case.wanted))
        found.append([case.new in likeliest(one, count) for one in scores.things])
        gone.append([case.old not in likeliest(one, count + 1) for one in scores.things])
        step = border_step(after, case.mask)
        surplus.append(step - border_step(np.asarray(wanted), case.mask))
        kept = ~grow(case.mask, feather_width(case.mask))
        exact += bool((after[kept] == np.asarray(before)[kept]).all())
    return {
        "new_thing_found": rates(np.array(found, dtype=np.float64)),
        "old_thing_gone": rates(np.array(gone, dtype=np.float64)),
        "seam_surplus_of_255": to_json(mean_estimate(np.array(surplus))),
        "kept_area_exact": wilson(exact, len(cases)).to_json(),
    }


def outpaint_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(j) A scene is continued on both sides, to twice its width, without words.

    Each new side is half as wide as a picture: the judge sees it beside its mirror image, and the
    halves of the real scene likewise.
    """
    scenes = list(islice(validation_scenes(bench.pictures.table), bench.size(NUM_OUTPAINTED)))
    right: dict[str, list[list[bool]]] = {name: [] for name in ("place", "time")}
    surplus = []
    for seed, scene in enumerate(tqdm(scenes, desc="out-painting", unit="scene", disable=None)):
        painted = bench.paint([scene])
        before = tensor_to_images(painted)[0]
        half = before.width // 2
        margins = Margins(left=half, right=half)
        generators = generators_from_seeds([seed], bench.pipeline.device)
        output = bench.pipeline.outpaint(before, margins, generator=generators)
        after = np.asarray(first_image(output.images))
        wide = uint8_to_tensor(after[None])
        halves = [wide[..., :half], wide[..., -half:], painted[..., :half], painted[..., -half:]]
        scores = judge_images(bench.judge, torch.cat([mirrored(one) for one in halves]))
        answers = right_answers(scene)
        for name, rows in right.items():
            if answers[name] >= 0:
                picked = (scores.answers[name].argmax(dim=1) == answers[name]).tolist()
                rows.append([all(picked[:2]), all(picked[2:])])
        mask = np.ones(after.shape[:2], bool)
        mask[:, half:-half] = False
        usual = np.abs(np.diff(np.asarray(before).astype(np.float32), axis=1)).mean()
        surplus.append(border_step(after, mask) - float(usual))
    both = {
        f"{name}_on_both_sides": rates(np.array(rows, dtype=np.float64).reshape(len(rows), 2))
        for name, rows in right.items()
    }
    return both | {"seam_surplus_of_255": to_json(mean_estimate(np.array(surplus)))}


def mirrored(half: Tensor) -> Tensor:
    """Half a picture beside its mirror image: (1, 3, H, W) -> (1, 3, H, 2 W)."""
    return torch.cat([half, half.flip(3)], dim=3)


def first_image(images: object) -> Image.Image:
    """The first picture of an output with PIL pictures."""
    assert isinstance(images, list)
    return images[0]
