"""Moving scenes: pure, and each thing does what is said of it."""

from dataclasses import replace
from random import Random

import pytest
import torch

from training.data.motion import (
    MOTIONS,
    Move,
    MovingScene,
    held_out_motions,
    make_clip,
    make_held_out_clip,
)
from training.data.motion.making import NUM_FRAMES, make_clip_of
from training.data.motion.moves import STILL, motions_of, placement_at
from training.data.scenes import Placement, Scene, SceneRenderer, SpriteTable
from training.data.scenes.layout import placement_box

FOX, OWL, STAR = 0, 1, 5
NUM = 400


def test_seed_and_index_alone_decide_a_clip(table: SpriteTable) -> None:
    first = [make_clip(table, 3, index) for index in range(50)]
    assert [make_clip(table, 3, index) for index in reversed(range(50))] == first[::-1]
    assert len({clip.moves for clip in first}) > 40


def test_every_motion_occurs_and_one_or_two_things_move(table: SpriteTable) -> None:
    clips = [make_clip(table, 0, index) for index in range(NUM)]
    counts = [len(clip.scene.placements) for clip in clips]
    moving = [sum(move.motion != STILL for move in clip.moves) for clip in clips]
    assert set(counts) == {1, 2} and set(moving) == {0, 1, 2}
    assert moving.count(0) < 0.15 * NUM
    assert {move.motion for clip in clips for move in clip.moves} == {STILL, *MOTIONS}


def test_training_never_shows_a_held_out_motion_and_measuring_always(table: SpriteTable) -> None:
    held_out = held_out_motions(table)
    assert held_out and len({thing for thing, _ in held_out}) == len(held_out)
    shown = {
        (placement.thing, move.motion)
        for clip in (make_clip(table, 0, index) for index in range(4 * NUM))
        for placement, move in zip(clip.scene.placements, clip.moves, strict=True)
    }
    assert not shown & set(held_out)
    assert {thing for thing, _ in shown} == set(range(len(table.things)))
    for index, (thing, motion) in enumerate(held_out):
        clip = make_held_out_clip(table, index + len(held_out))
        assert [one.thing for one in clip.scene.placements] == [thing]
        assert [move.motion for move in clip.moves] == [motion]


def test_a_table_of_hundreds_of_things_holds_sixty_pairs_out(table: SpriteTable) -> None:
    things = tuple(replace(table.things[0], name=f"fox {number}") for number in range(300))
    pairs = held_out_motions(replace(table, things=things))
    assert len(pairs) == 60
    assert max(sum(one == motion for _, one in pairs) for motion in MOTIONS) <= 8


def in_motion(table: SpriteTable, thing: int, motion: str, seed: int) -> list[Placement]:
    """A thing on the grass in each frame of a clip."""
    setting = ("grass", "day", "clear")
    clip = make_clip_of(table, 0, seed, 0, setting, thing, motion, Random(seed))
    return [scene.placements[0] for scene in clip.frames(table)]


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_motion_moves_and_keeps_the_thing_in_sight(table: SpriteTable, motion: str) -> None:
    thing = OWL if "fly" in motion else FOX
    for seed in range(20):
        placements = in_motion(table, thing, motion, seed)
        assert len(placements) == NUM_FRAMES and len(set(placements)) > 4
        for placement in placements:
            box = placement_box(table, 0, placement)
            width = min(box.right, 1) - max(box.left, 0)
            height = min(box.bottom, 1) - max(box.top, 0)
            assert width > 0 and height > 0
            assert width * height > 0.25 * box.area


@pytest.mark.parametrize("seed", range(5))
def test_motions_are_what_they_are_called(table: SpriteTable, seed: int) -> None:
    def track(thing: int, motion: str) -> list[Placement]:
        return in_motion(table, thing, motion, seed)

    xs = [one.x for one in track(FOX, "slide")]
    assert xs == sorted(xs) or xs == sorted(xs, reverse=True)
    assert abs(xs[-1] - xs[0]) > 0.3
    assert abs(track(OWL, "fly across")[-1].x - track(OWL, "fly across")[0].x) > 0.6
    ys = [one.y for one in track(OWL, "fly up")]
    assert ys == sorted(ys, reverse=True) and ys[0] - ys[-1] > 0.2
    falling = track(FOX, "fall")
    assert falling[-1].y - falling[0].y > 0.2
    sizes = [one.size for one in track(FOX, "grow")]
    assert sizes == sorted(sizes) and sizes[0] < 0.6 * sizes[-1]
    assert [one.size for one in track(FOX, "shrink")] == sorted(sizes, reverse=True)
    turns = [one.turn for one in track(FOX, "spin")]
    assert abs(turns[-1] - turns[0]) >= 360
    for motion in ("bounce", "jump"):
        lifts = [one.lift for one in track(FOX, motion)]
        assert min(lifts) >= -1e-9 and lifts[0] == 0 and max(lifts) > 0.1
        grounded = [one.y + one.lift for one in track(FOX, motion)]
        assert max(grounded) - min(grounded) < 1e-9
    shaken = [one.x for one in track(FOX, "shake")]
    assert min(shaken) < shaken[0] < max(shaken)


def test_what_stands_grows_from_its_foot(table: SpriteTable) -> None:
    placement = Placement(FOX, 0.5, 0.6, 0.5, "ground")
    boxes = [
        placement_box(table, 0, placement_at(table, 0, placement, Move("grow"), time))
        for time in (0.0, 0.5, 1.0)
    ]
    assert max(box.bottom for box in boxes) - min(box.bottom for box in boxes) < 1e-9


def test_only_what_can_fly_flies(table: SpriteTable) -> None:
    assert "fly up" in motions_of(table.things[OWL].homes)
    assert not {"fly up", "fly across"} & set(motions_of(table.things[FOX].homes))
    assert not {"jump", "bounce"} & set(motions_of(table.things[STAR].homes))
    with pytest.raises(ValueError, match=r"a motion is one of slide, .*, got 'dance'"):
        placement_at(table, 0, Placement(FOX, 0.5, 0.5, 0.5, "ground"), Move("dance"), 0.5)


def paint(renderer: SceneRenderer, clip: MovingScene) -> torch.Tensor:
    return renderer.render(clip.frames(renderer.table), 64)


def empty(weather: str, place: str = "grass") -> Scene:
    return Scene(0, 0, 0, place, "day", weather, 0.6, 5, ())


@pytest.mark.parametrize(
    ("weather", "motion"),
    [("clouds", {"drift": 0.2}), ("snow", {"fallen": 0.6}), ("rain", {"fallen": 2.0})],
)
def test_weather_moves_above_a_ground_that_stays(
    renderer: SceneRenderer, weather: str, motion: dict
) -> None:
    frames = paint(renderer, MovingScene(empty(weather), (), num_frames=5, **motion))
    still = paint(renderer, MovingScene(empty(weather), (), num_frames=2))
    assert torch.equal(frames[0], still[0]) and torch.equal(still[0], still[1])
    changes = (frames[1:] - frames[:-1]).abs().amax(dim=1)  # (4, H, W)
    assert (changes.flatten(1).amax(dim=1) > 0.05).all()
    assert (changes > 1e-4).float().mean() < 0.8
    if weather == "clouds":
        assert changes[:, 40:].max() == 0


def test_clouds_that_leave_at_one_side_come_back_at_the_other(renderer: SceneRenderer) -> None:
    around = MovingScene(empty("clouds"), (), drift=1.7, num_frames=18)
    frames = paint(renderer, around)
    assert (frames[0] - frames[-1]).abs().max() < 0.05


def test_what_jumps_leaves_its_shadow_on_the_ground(renderer: SceneRenderer) -> None:
    scene = Scene(
        0, 0, 0, "grass", "day", "clear", 0.5, 5, (Placement(FOX, 0.5, 0.6, 0.4, "ground"),)
    )
    (there,) = scene.placements
    shadow = slice(44, 52)
    high = replace(scene, placements=(replace(there, y=0.2, lift=0.4),))
    gone = replace(scene, placements=())
    pictures = renderer.render([high, gone], 64)
    assert (pictures[0] - pictures[1])[:, shadow].abs().max() > 0.05
