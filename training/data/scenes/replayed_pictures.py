"""Pictures of scenes that are painted while a tokenizer learns, each shown several times."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.data.picture_source import PictureBatch
from training.data.scenes.painting import PaintedChunk
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.replay import Replay, ReplayOptions
from training.loop.picture_random import PictureRandom
from training.loop.transfer import sent

CAPACITY = 1 << 15  # scenes kept on a GPU, 6 GB at 256 pixels; then the oldest give way
CPU_CAPACITY = 1 << 10


class ReplayedPictures:
    """Scenes as `ScenePictures`, but painted by processes beside the training.

    What a batch holds depends on how fast they paint: a run that resumes begins with none, and
    sees other scenes than one that was not stopped.

    Args:
        pictures: the scenes.
        options: processes that paint, and how many scenes are kept.
        device: device that keeps the scenes, as 8 bits a value.
    """

    def __init__(
        self, pictures: ScenePictures, options: ReplayOptions, device: torch.device
    ) -> None:
        self.pictures = pictures
        self.device = device
        self.replay = Replay(pictures, options, self._keep)
        self.images = torch.empty(0, dtype=torch.uint8, device=device)
        self.styles = torch.empty(options.capacity, 1, dtype=torch.int64)
        self.phrases = torch.empty(0, 0, dtype=torch.int64)

    @property
    def num_train(self) -> int:
        """Scenes never end."""
        return 0

    @property
    def can_read_ahead(self) -> bool:
        """Scenes are kept on the device of the run."""
        return False

    @property
    def side(self) -> int:
        """Side of the pictures in pixels."""
        return self.pictures.side

    @property
    def num_frames(self) -> int:
        """Frames of a clip; 1 for pictures."""
        return self.pictures.num_frames

    @property
    def label_names(self) -> Mapping[str, Any]:
        """As `ScenePictures.label_names`."""
        return self.pictures.label_names

    def words(self, labels: Tensor, captions: Tensor | None) -> list[str]:
        """As `ScenePictures.words`."""
        return self.pictures.words(labels, captions)

    def train_batch(
        self, rows: Tensor, random: PictureRandom, device: torch.device
    ) -> PictureBatch:
        """Random scenes of those that are kept, as many as there are rows."""
        self.replay.take_in(len(rows))
        rows = random.integers(self.replay.num_kept)
        images = self.images[sent(rows, self.device)].to(device).float().div_(127.5).sub_(1)
        return PictureBatch(images, self.styles[rows], self.phrases[rows])

    def fixed(self, split: str, limit: int) -> PictureBatch:
        """As `ScenePictures.fixed`."""
        return self.pictures.fixed(split, limit)

    def close(self) -> None:
        """Stop the processes that paint."""
        self.replay.close()

    def _keep(self, chunk: PaintedChunk, rows: Tensor) -> None:
        if not len(self.images):
            capacity = self.replay.options.capacity
            self.images = torch.empty(
                capacity, *chunk.images.shape[1:], dtype=torch.uint8, device=self.device
            )
            self.phrases = torch.empty(capacity, chunk.phrases.shape[1], dtype=torch.int64)
        self.images[sent(rows, self.device)] = chunk.images.to(self.device, non_blocking=True)
        self.styles[rows] = chunk.styles
        self.phrases[rows] = chunk.phrases
