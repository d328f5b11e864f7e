"""Moving scenes as an endless source of clips, for trainers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from training.data.motion.captions import MotionCaptioner
from training.data.motion.making import (
    MovingScene,
    make_clip,
    make_held_out_clip,
    make_played_clip,
)
from training.data.motion.phrases import motion_phrases
from training.data.picture_source import PictureBatch
from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.making import VALIDATION_SEED
from training.data.scenes.phrase_vectors import read_phrase_vectors
from training.data.scenes.phrases import Phrases
from training.data.scenes.pictures import MAX_FIXED, SEED, ScenePictures
from training.data.scenes.renderer import SceneRenderer
from training.data.scenes.stream import phrase_rows
from training.loop.picture_random import PictureRandom

SIDE = 64
ANIMATED = "animated"  # folder of the animated sprites
PLAYED_EVERY = 5  # of so many clips one shows animated things, where there are any


@dataclass(frozen=True)
class NumberedClip:
    """One clip: of things that move, or of animated ones that play."""

    clip: MovingScene
    table: SpriteTable  # that it is painted from


class MovingScenes(ScenePictures):
    """Clips (B, 3, F, side, side) with captions, the style of their things being a label.

    Animated things are in a style of their own: their label is the null label.

    Args:
        table: the sprites.
        phrases: all phrases of captions.
        vectors: (n, E) vectors of the phrases, row i for the id i.
        animated: the animated sprites; None where there are none.
        side: side of the frames in pixels.
    """

    def __init__(
        self,
        table: SpriteTable,
        phrases: Phrases,
        vectors: Tensor,
        animated: SpriteTable | None = None,
        side: int = SIDE,
    ) -> None:
        super().__init__(table, phrases, vectors, side)
        self.animated = animated
        self.motion_captioner = MotionCaptioner(table, phrases)
        self._played_renderers: dict[str, SceneRenderer] = {}

    @classmethod
    def open_motion(
        cls, scenes: str | Path, motion: str | Path, side: int = SIDE
    ) -> "MovingScenes":
        """Open the folders of `training.prepare.scenes` and of `training.prepare.motion`.

        Raises:
            ValueError: if something in them is missing or damaged.
        """
        table, folder = read_table(Path(scenes)), Path(motion)
        phrases = motion_phrases(table)
        vectors = read_phrase_vectors(folder, phrases)
        has_animated = (folder / ANIMATED).is_dir()
        animated = read_table(folder / ANIMATED) if has_animated else None
        return cls(table, phrases, vectors, animated, side)

    @property
    def stamp(self) -> Mapping[str, str]:
        """What the numbered clips depend on, but for the way that they are painted."""
        played = 0 if self.animated is None else len(self.animated.things)
        return {**super().stamp, "motion": f"{played} animated things"}

    def fixed(self, split: str, limit: int) -> PictureBatch:
        """The first clips of a split with their full captions, at most 256."""
        clips = [self._fixed_clip(split, index) for index in range(min(limit, MAX_FIXED))]
        captions = [self.motion_captioner.full_clip_caption(self._told(one)) for one in clips]
        images = self._paint_clips(clips, torch.device("cpu"))
        return PictureBatch(images, self._styles_of(clips), phrase_rows(captions))

    def numbered(self, numbers: Sequence[int], device: torch.device) -> Tensor:
        """Training clips by number, (B, 3, F, side, side) in [-1, 1]."""
        return self._paint_clips([self._clip(SEED, number) for number in numbers], device)

    def described(self, numbers: Tensor, random: PictureRandom) -> tuple[Tensor, Tensor]:
        """Styles (B, 1) and captions (B, P) of training clips by number, worded at random."""
        clips = [self._clip(SEED, number) for number in numbers.tolist()]
        wordings = random.integers(2**62).tolist()
        captions = [
            self.motion_captioner.caption_clip(self._told(one), Random(wording))
            for one, wording in zip(clips, wordings, strict=True)
        ]
        return self._styles_of(clips), phrase_rows(captions)

    def _clip(self, seed: int, number: int) -> NumberedClip:
        if self.animated is not None and number % PLAYED_EVERY == 0:
            return NumberedClip(make_played_clip(self.animated, seed, number), self.animated)
        return NumberedClip(make_clip(self.table, seed, number), self.table)

    def _fixed_clip(self, split: str, index: int) -> NumberedClip:
        if split == "held_out":
            return NumberedClip(make_held_out_clip(self.table, index), self.table)
        return self._clip(VALIDATION_SEED if split == "validation" else SEED, index)

    def _told(self, one: NumberedClip) -> MovingScene:
        """The clip with the things as the captions number them."""
        return one.clip.with_things_of(one.table, self.table) if one.clip.plays else one.clip

    def _styles_of(self, clips: Sequence[NumberedClip]) -> Tensor:
        null = len(self.table.styles)
        styles = [[null if one.clip.plays else one.clip.scene.style] for one in clips]
        return torch.tensor(styles, dtype=torch.int64)

    def _paint_clips(self, clips: Sequence[NumberedClip], device: torch.device) -> Tensor:
        painted = []
        for one in clips:
            renderer = self._played(device) if one.clip.plays else self.renderer(device)
            painted.append(renderer.render(one.clip.frames(one.table), self.side))
        return torch.stack(painted).transpose(1, 2)

    def _played(self, device: torch.device) -> SceneRenderer:
        """The painter of animated things on a device, opened once."""
        assert self.animated is not None
        found = self._played_renderers.get(str(device))
        if found is None:
            found = self._played_renderers[str(device)] = SceneRenderer(self.animated, device)
        return found
