"""Moving scenes: the scenes of `training.data.scenes` in which things and weather move.

A clip is a list of scenes, one a frame, that the painter of scenes paints:
clip = make_clip(table, seed=0, index=7)
frames = SceneRenderer(table).render(clip.frames(table), side=64)  # (F, 3, 64, 64)
"""

from training.data.motion.captions import MotionCaptioner
from training.data.motion.clips import MovingScenes
from training.data.motion.held_out import held_out_motions
from training.data.motion.making import (
    MovingScene,
    make_clip,
    make_held_out_clip,
    make_played_clip,
)
from training.data.motion.moves import MOTIONS, Move
from training.data.motion.phrases import motion_phrases

__all__ = [
    "MOTIONS",
    "MotionCaptioner",
    "Move",
    "MovingScene",
    "MovingScenes",
    "held_out_motions",
    "make_clip",
    "make_held_out_clip",
    "make_played_clip",
    "motion_phrases",
]
