"""Makes moving scenes from a seed and an index, as `training.data.scenes.making` still ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from training.data.motion.held_out import held_out_motions
from training.data.motion.moves import PLAY, Move, motions_of, placement_at
from training.data.scenes.atlas import SpriteTable
from training.data.scenes.description import OUTDOORS, Scene, scene_random
from training.data.scenes.held_out import Setting
from training.data.scenes.making import HELD_OUT_SEED, build_scene, draw_combination

NUM_FRAMES = 17  # the first one, and two seconds at eight a second
PURPOSE = 16  # of the chance of motions
MOST_THINGS = 2
STILL_PART = 0.06  # of the clips: nothing but the weather moves
BOTH_PART = 0.4  # of the clips with two things: both move
HELD_OUT_SOURCE = HELD_OUT_SEED  # seed of the scenes around held-out motions
FALLING = {"rain": (1.6, 2.4), "snow": (0.45, 0.75)}  # heights of the picture in a clip


@dataclass(frozen=True)
class MovingScene:
    """A clip in numbers. Equal ones are painted equally.

    Attributes:
        scene: how it stands before anything moves.
        moves: what each placement of the scene does.
        drift: how far clouds go to the right, in sides of the picture.
        fallen: how far rain and snow come down.
        num_frames: number of frames.
        plays: whether the styles of the table are the pictures of animations, which take turns.
    """

    scene: Scene
    moves: tuple[Move, ...]
    drift: float = 0.0
    fallen: float = 0.0
    num_frames: int = NUM_FRAMES
    plays: bool = False

    def frames(self, table: SpriteTable) -> list[Scene]:
        """Return the scene at each moment, the first one before the weather has moved."""
        return [self.frame(table, index) for index in range(self.num_frames)]

    def with_things_of(self, own: SpriteTable, other: SpriteTable) -> "MovingScene":
        """Return the clip for a table that has its things under other numbers, to caption it."""
        placements = tuple(
            replace(one, thing=other.names.index(own.names[one.thing]))
            for one in self.scene.placements
        )
        return replace(self, scene=replace(self.scene, placements=placements, style=0))

    def frame(self, table: SpriteTable, index: int) -> Scene:
        """Return the scene at one of these moments."""
        time = index / (self.num_frames - 1)
        style = index % len(table.styles) if self.plays else self.scene.style
        placements = tuple(
            placement_at(table, self.scene.style, placement, move, time)
            for placement, move in zip(self.scene.placements, self.moves, strict=True)
        )
        drift, fallen = self.drift * time, self.fallen * time
        return replace(self.scene, style=style, placements=placements, drift=drift, fallen=fallen)


def make_clip(table: SpriteTable, seed: int, index: int) -> MovingScene:
    """Make a clip for training; equal arguments give equal clips.

    Raises:
        ValueError: if seed or index are out of range.
    """
    style, setting, things = draw_combination(table, seed, index)
    rng = scene_random(seed, index, PURPOSE)
    scene = build_scene(table, seed, index, style, setting, things[:MOST_THINGS])
    return _in_motion(scene, _draw_moves(table, scene, rng), rng)


def make_played_clip(animated: SpriteTable, seed: int, index: int) -> MovingScene:
    """Make a clip for training in which animated things play.

    Args:
        animated: table that `training.prepare.motion` wrote.
        seed: seed of the run.
        index: number of the clip.

    Raises:
        ValueError: if seed or index are out of range.
    """
    _, setting, things = draw_combination(animated, seed, index)
    rng = scene_random(seed, index, PURPOSE)
    scene = build_scene(animated, seed, index, 0, setting, things[:MOST_THINGS])
    clip = _in_motion(scene, [Move(PLAY) for _ in scene.placements], rng)
    return replace(clip, plays=True)


def make_held_out_clip(table: SpriteTable, index: int) -> MovingScene:
    """Make a clip of one thing in a motion that training never shows; all pairs take turns.

    Raises:
        ValueError: if the table is too small to hold any out.
    """
    pairs = held_out_motions(table)
    if not pairs:
        raise ValueError(f"of {len(table.things)} things no motion is held out")
    thing, motion = pairs[index % len(pairs)]
    style, setting, _ = draw_combination(table, HELD_OUT_SOURCE, index, [thing])
    rng = scene_random(HELD_OUT_SOURCE, index, PURPOSE)
    return make_clip_of(table, HELD_OUT_SOURCE, index, style, setting, thing, motion, rng)


def make_clip_of(
    table: SpriteTable,
    seed: int,
    index: int,
    style: int,
    setting: Setting,
    thing: int,
    motion: str,
    rng: Random,
) -> MovingScene:
    """Make a clip of one thing in a given setting and motion."""
    scene = build_scene(table, seed, index, style, setting, [thing])
    return _in_motion(scene, [_move(motion, rng)], rng)


def _draw_moves(table: SpriteTable, scene: Scene, rng: Random) -> list[Move]:
    number = len(scene.placements)
    moving = {rng.randrange(number)} if rng.random() >= STILL_PART else set[int]()
    if moving and rng.random() < BOTH_PART:
        moving = set(range(number))
    held_out = set(held_out_motions(table))
    moves = []
    for place, placement in enumerate(scene.placements):
        known = motions_of(table.things[placement.thing].homes)
        trained = [motion for motion in known if (placement.thing, motion) not in held_out]
        moves.append(_move(rng.choice(trained), rng) if place in moving else Move())
    return moves


def _move(motion: str, rng: Random) -> Move:
    return Move(motion, rng.random(), rng.random() < 0.5)


def _in_motion(scene: Scene, moves: Sequence[Move], rng: Random) -> MovingScene:
    drift = rng.choice((-1, 1)) * rng.uniform(0.1, 0.3)
    low, high = FALLING.get(scene.weather, (0.0, 0.0))
    fallen = rng.uniform(low, high)
    return MovingScene(scene, tuple(moves), drift if scene.place in OUTDOORS else 0.0, fallen)
