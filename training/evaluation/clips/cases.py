"""Real clips of one thing in one motion, and the words that ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.motion import MovingScene, MovingScenes, held_out_motions, make_held_out_clip
from training.data.motion.making import make_clip_of
from training.data.motion.moves import motions_of
from training.data.scenes import SceneRenderer, SpriteTable
from training.data.scenes.description import scene_random
from training.data.scenes.making import VALIDATION_SEED, draw_combination

PURPOSE = 17  # of the chance of motions
TRAINED, HELD_OUT = "trained", "held_out"


@dataclass(frozen=True)
class ClipCase:
    """A prompt, and what it asks for.

    Attributes:
        clip: real clip with all that is asked for.
        phrases: words of the prompt.
        style: name of the style that is asked for.
    """

    clip: MovingScene
    phrases: tuple[str, ...]
    style: str


def one_thing_clip(
    table: SpriteTable, seed: int, index: int, holds_out: bool = True
) -> MovingScene:
    """A clip of one thing in one motion; equal arguments give equal clips.

    Args:
        table: the sprites.
        seed: seed of the clips.
        index: number of the clip.
        holds_out: whether the motions that models never see are left out.

    Raises:
        ValueError: if seed or index are out of range.
    """
    style, setting, things = draw_combination(table, seed, index)
    rng = scene_random(seed, index, PURPOSE)
    thing, held_out = things[0], held_out_motions(table) if holds_out else ()
    known = motions_of(table.things[thing].homes)
    motion = rng.choice([one for one in known if (thing, one) not in held_out])
    return make_clip_of(table, seed, index, style, setting, thing, motion, rng)


def clip_cases(clips: MovingScenes, name: str, count: int) -> list[ClipCase]:
    """The first cases of a set, `TRAINED` or `HELD_OUT`; of the second one there are 60.

    Raises:
        ValueError: if the table is too small to hold any out.
    """
    table = clips.table
    if name == HELD_OUT:
        count = min(count, len(held_out_motions(table))) or 1
        found = [make_held_out_clip(table, index) for index in range(count)]
    else:
        found = [one_thing_clip(table, VALIDATION_SEED, index) for index in range(count)]
    return [_case(clips, clip) for clip in found]


def _case(clips: MovingScenes, clip: MovingScene) -> ClipCase:
    phrases = clips.motion_captioner.full_clip_caption(clip)
    texts = tuple(clips.phrases.texts[number] for number in phrases)
    return ClipCase(clip, texts, clips.table.styles[clip.scene.style])


def paint(
    renderer: SceneRenderer, clips: Sequence[MovingScene], side: int, frames: int = 0
) -> Tensor:
    """Real clips, (B, 3, F, side, side) in [-1, 1]; 0 frames are all of them."""
    table = renderer.table
    painted = [
        renderer.render(clip.frames(table)[: frames or clip.num_frames], side) for clip in clips
    ]
    return torch.stack(painted).transpose(1, 2)
