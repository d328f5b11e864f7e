"""Moving scenes as an endless source of clips, for trainers."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from training.data.motion.captions import MotionCaptioner
from training.data.motion.making import (
    NUM_FRAMES,
    MovingScene,
    make_clip,
    make_held_out_clip,
    make_played_clip,
)
from training.data.motion.phrases import motion_phrases
from training.data.picture_source import PictureBatch
from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.description import Scene
from training.data.scenes.making import VALIDATION_SEED
from training.data.scenes.painting import PaintedChunk, Painters
from training.data.scenes.phrase_vectors import read_phrase_vectors
from training.data.scenes.phrases import Phrases
from training.data.scenes.pictures import MAX_FIXED, SEED, ScenePictures
from training.data.scenes.renderer import SceneRenderer
from training.data.scenes.stream import StreamOptions, phrase_rows
from training.loop.picture_random import PictureRandom
from var_core.files import write_atomically
from var_core.ranges import check_int

SIDE = 64
SIDES = 8, 256
MOTION_FILE = "motion.json"  # says where the scenes are
ANIMATED = "animated"  # folder of the animated sprites
WORDING = -4  # purpose of the chance that words captions of painted chunks
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
    def open(cls, folder: str | Path) -> "MovingScenes":
        """Open a folder that `training.prepare.motion` wrote, and that of the scenes it names.

        Raises:
            ValueError: if something in them is missing or damaged.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / MOTION_FILE).read_text("utf-8"))
            scenes, side = folder / about["scenes"], about["side"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{folder / MOTION_FILE} is missing or damaged; "
                f"run: python -m training.prepare.motion --out {folder}"
            ) from error
        check_int(f"{folder / MOTION_FILE}: side", side, *SIDES)
        table = read_table(scenes)
        phrases = motion_phrases(table)
        vectors = read_phrase_vectors(folder, phrases)
        has_animated = (folder / ANIMATED).is_dir()
        animated = read_table(folder / ANIMATED) if has_animated else None
        return cls(table, phrases, vectors, animated, side)

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return NUM_FRAMES

    @property
    def can_read_ahead(self) -> bool:
        """Clips are painted on the CPU, by as many processes as read ahead."""
        return True

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

    def painters(self, options: StreamOptions) -> Painters:
        """Start processes that paint clips, each of them once; to be closed."""
        shape = options.batch_size, 3, NUM_FRAMES, self.side, self.side
        told = self.table, self.phrases, self.vectors[:0], self.animated, self.side
        start = partial(ClipChunks, MovingScenes(*told), options)
        return Painters(start, shape, options.workers, options.ahead)

    def first_frames(self) -> "FirstFrames":
        """The first frames of the same clips, as pictures."""
        return FirstFrames(self.table, self.phrases, self.vectors, self.animated, self.side)

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
        painted = [self._paint_scenes(one, one.clip.frames(one.table), device) for one in clips]
        return torch.stack(painted).transpose(1, 2)

    def _paint_scenes(
        self, one: NumberedClip, scenes: Sequence[Scene], device: torch.device
    ) -> Tensor:
        """Some moments of a clip, (n, 3, side, side)."""
        renderer = self._played(device) if one.clip.plays else self.renderer(device)
        return renderer.render(scenes, self.side)

    def _played(self, device: torch.device) -> SceneRenderer:
        """The painter of animated things on a device, opened once."""
        assert self.animated is not None
        found = self._played_renderers.get(str(device))
        if found is None:
            found = self._played_renderers[str(device)] = SceneRenderer(self.animated, device)
        return found


class FirstFrames(MovingScenes):
    """The first frames of clips (B, 3, side, side), with what is said of the clips.

    They cost a seventeenth of the clips, and are all that the scales of a picture learn from.
    """

    @property
    def num_frames(self) -> int:
        """Frames of a picture."""
        return 1

    def _paint_clips(self, clips: Sequence[NumberedClip], device: torch.device) -> Tensor:
        frames = [self._paint_scenes(one, [one.clip.frame(one.table, 0)], device) for one in clips]
        return torch.cat(frames)


class ClipChunks:
    """Paints numbered clips in chunks, in a process of its own.

    Args:
        clips: the source.
        options: number of clips of a chunk, and whose share of them this is.
    """

    def __init__(self, clips: MovingScenes, options: StreamOptions) -> None:
        self.clips = clips
        self.options = options

    def paint(self, number: int) -> PaintedChunk:
        """The chunk of a number, with images in [-1, 1], float32."""
        numbers = self.options.indices(number)
        images = self.clips.numbered(numbers, torch.device("cpu"))
        random = PictureRandom(self.options.seed, WORDING, numbers)
        return PaintedChunk(images, *self.clips.described(torch.tensor(numbers), random))


def write_about(folder: Path, scenes: Path, side: int) -> None:
    """Note in a folder of motions where its scenes are, and the side of the frames.

    Raises:
        OSError: if it cannot be written.
    """
    about = {"scenes": os.path.relpath(scenes, folder), "side": side}
    write_atomically(folder / MOTION_FILE, json.dumps(about).encode())
