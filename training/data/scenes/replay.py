"""Scenes that processes paint beside the training, taken in as it goes on.

None is waited for after the first ones, and taking them in has a small part of the time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.scenes.painting import PaintedChunk
from training.data.scenes.pictures import SEED, ScenePictures
from training.data.scenes.stream import StreamOptions

logger = logging.getLogger(__name__)

AHEAD = 4  # chunks per process
FIRST_BATCHES = 4  # so many batches' worth of scenes are waited for
MAX_SHARE = 0.25  # of the time since the first batch, for new scenes


@dataclass(frozen=True)
class ReplayOptions:
    """The processes that paint, and the room for what they paint."""

    workers: int  # processes that paint
    capacity: int  # scenes that are kept; then the oldest give way
    rank: int = 0  # this process of the run
    num_processes: int = 1  # that train together
    chunk: int = 128  # scenes, or frames of clips, that are painted together


class Replay:
    """Fills the rows of a table with scenes, again from the first one where it is full.

    Args:
        pictures: the scenes.
        options: processes that paint, and number of rows.
        keep: function that puts a chunk into rows (N,) int64.
    """

    def __init__(
        self,
        pictures: ScenePictures,
        options: ReplayOptions,
        keep: Callable[[PaintedChunk, Tensor], None],
    ) -> None:
        self.options = options
        self.keep = keep
        stream = StreamOptions(
            seed=SEED,
            batch_size=-(-options.chunk // pictures.num_frames),
            side=pictures.side,
            rank=options.rank,
            num_processes=options.num_processes,
            ahead=AHEAD * options.workers,
            workers=options.workers,
        )
        self.painters = pictures.painters(stream)
        self.num_seen = 0  # scenes painted so far
        self._first_time: float | None = None
        self._seconds = 0.0  # spent on new scenes since then

    @property
    def num_kept(self) -> int:
        """Rows that hold a scene."""
        return min(self.num_seen, self.options.capacity)

    def take_in(self, batch_size: int) -> None:
        """Keep what is painted: as much as some batches need at once, the rest as time allows."""
        while self.num_kept < min(FIRST_BATCHES * batch_size, self.options.capacity):
            self.take_chunk()
        if self._first_time is None:
            self._first_time = time.monotonic()
        while self.painters.is_ready():
            now = time.monotonic()
            if self._seconds > MAX_SHARE * (now - self._first_time):
                break
            self.take_chunk()
            self._seconds += time.monotonic() - now

    def take_chunk(self) -> None:
        """Keep the next chunk, waiting for it where it is not painted yet."""
        chunk = self.painters.wait()
        rows = torch.arange(self.num_seen, self.num_seen + len(chunk.images))
        self.keep(chunk, rows % self.options.capacity)
        self.num_seen += len(rows)

    def close(self) -> None:
        """Stop the processes that paint."""
        self.painters.close()
        logger.info("%d scenes were painted", self.num_seen)
