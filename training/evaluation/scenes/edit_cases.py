"""Edits to measure: a thing in a real scene is masked, and another one is named."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from training.data.scenes import Placement, Scene, SpriteTable, held_out_of
from training.data.scenes.description import scene_random, thing_aspect
from training.data.scenes.layout import Box, placement_box
from training.data.scenes.making import HELD_OUT_SEED
from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.prompts import shows, validation_scenes
from training.evaluation.scenes.questions import things_of

MARGIN = 0.03  # around a thing
SHADOW = 0.06  # below a thing on the ground
RIPPLES = 0.13  # of its width, beside and below a thing in the water
MAX_MASKED = 0.5  # of the picture
MAX_TOUCHED = 0.1  # of the other thing
PURPOSE = 9  # of the chance that picks the new thing
NUM_DRAWS = 100


@dataclass(frozen=True)
class EditCase:
    """One edit.

    Attributes:
        scene: scene before the edit.
        wanted: the scene with the new thing in place of the old one.
        mask: (side, side) bool, what is drawn anew.
        old: thing under the mask.
        new: thing that is asked for.
        phrase: words for the new thing.
    """

    scene: Scene
    wanted: Scene
    mask: np.ndarray
    old: int
    new: int
    phrase: str


def edit_cases(pictures: ScenePictures) -> Iterator[EditCase]:
    """Edits of validation scenes with one thing or two, in their order, without end."""
    for scene in validation_scenes(pictures.table):
        if shows(scene, 1) or shows(scene, 2):
            case = edit_case(pictures, scene)
            if case is not None:
                yield case


def edit_case(pictures: ScenePictures, scene: Scene) -> EditCase | None:
    """The edit of a scene; None where no thing can be masked on its own and replaced."""
    table = pictures.table
    for number, placement in enumerate(scene.placements):
        area = masked_area(table, scene, placement)
        others = [
            placement_box(table, scene.style, other)
            for other in scene.placements
            if other is not placement
        ]
        if area.area > MAX_MASKED or any(
            area.overlap(other) * min(area.area, other.area) > MAX_TOUCHED * other.area
            for other in others
        ):
            continue
        rng = scene_random(HELD_OUT_SEED, scene.index, PURPOSE)
        new = choose_new_thing(table, scene, placement, rng)
        if new is None:
            continue
        fitted = fit_in_place(table, scene.style, placement, new)
        placements = (*scene.placements[:number], fitted, *scene.placements[number + 1 :])
        wanted = replace(scene, placements=placements)
        phrase = pictures.phrases.texts[pictures.phrases.main("thing", new, "one", "en")]
        mask = box_mask(area, pictures.side)
        return EditCase(scene, wanted, mask, placement.thing, new, phrase)
    return None


def masked_area(table: SpriteTable, scene: Scene, placement: Placement) -> Box:
    """The box of a thing as it is turned, with shadow or ripples and a margin, in the picture."""
    box = placement_box(table, scene.style, placement)
    width, height = box.right - box.left, box.bottom - box.top
    turn = math.radians(placement.turn)
    across = abs(width * math.cos(turn)) + abs(height * math.sin(turn))
    down = abs(width * math.sin(turn)) + abs(height * math.cos(turn))
    ripples = RIPPLES * width if placement.home == "swims" else 0.0
    below = SHADOW if placement.home == "ground" else ripples
    return Box(
        max(placement.x - across / 2 - MARGIN - ripples, 0.0),
        max(placement.y - down / 2 - MARGIN, 0.0),
        min(placement.x + across / 2 + MARGIN + ripples, 1.0),
        min(placement.y + down / 2 + MARGIN + below, 1.0),
    )


def box_mask(box: Box, side: int) -> np.ndarray:
    """A box as a mask (side, side) bool."""
    mask = np.zeros((side, side), bool)
    top, left = int(box.top * side), int(box.left * side)
    mask[top : math.ceil(box.bottom * side), left : math.ceil(box.right * side)] = True
    return mask


def choose_new_thing(
    table: SpriteTable, scene: Scene, placement: Placement, rng: Random
) -> int | None:
    """A thing that may stand where another one does, in no combination that is held out."""
    homes = table.things[placement.thing].homes
    shown, held_out = things_of(scene), held_out_of(table)
    setting = (scene.place, scene.time, scene.weather)
    for _ in range(NUM_DRAWS):
        new = rng.randrange(len(table.things))
        things = [new, *(shown - {placement.thing})]
        fits = new not in shown and table.things[new].homes == homes
        if fits and not held_out.has(things, scene.style, setting):
            return new
    return None


def fit_in_place(table: SpriteTable, style: int, placement: Placement, new: int) -> Placement:
    """A thing in the box of another one, as large as fits, on the same ground."""
    old_width, old_height = thing_aspect(table, placement.thing, style)
    width, height = thing_aspect(table, new, style)
    size = placement.size * min(old_width / width, old_height / height)
    y = placement.y
    if placement.home in ("ground", "swims"):
        y += (old_height * placement.size - height * size) / 2
    is_flipped = placement.is_flipped and table.things[new].may_flip
    return replace(placement, thing=new, size=size, y=y, is_flipped=is_flipped)
