"""Processes that paint for training in advance, for a device that learns faster than one paints.

A chunk of painted pictures is too large for the pipe between two processes: it travels as a file,
which stays in memory.
"""

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.renderer import CPU_BATCH, SceneRenderer
from training.data.scenes.stream import StreamOptions, draft_in_worker, start_worker
from training.loop.stop_signals import ignore_stop_signals

SHARED_MEMORY = Path("/dev/shm")  # of Linux
MIN_FREE_BYTES = 4 << 30  # below, files go to the usual temporary folder
NICE = 5  # how far painting steps back where the training wants the same core


@dataclass(frozen=True)
class PaintedChunk:
    """Some scenes or clips with what is said of them, on the CPU.

    Attributes:
        images: (N, 3, S, S) uint8, or (N, 3, F, S, S).
        styles: (N, 1) int64.
        phrases: (N, P) int64 ids, -1 in empty slots.
    """

    images: Tensor
    styles: Tensor
    phrases: Tensor


@dataclass(frozen=True)
class _Sent:
    path: Path
    styles: np.ndarray
    phrases: np.ndarray


class ChunkPainter(Protocol):
    """What a process paints."""

    def paint(self, number: int) -> PaintedChunk:
        """The chunk of a number, with images in [-1, 1], float32."""
        ...


class Painters:
    """Painted chunks in their order; close it to stop the processes.

    A thread reads the next one meanwhile.

    Args:
        start: function that makes the painter of a process, there.
        shape: shape of the images of a chunk.
        workers: number of processes.
        ahead: chunks that are painted in advance.

    Raises:
        ValueError: if there is no process.
    """

    def __init__(
        self, start: Callable[[], ChunkPainter], shape: Sequence[int], workers: int, ahead: int
    ) -> None:
        if not workers:
            raise ValueError("scenes are painted by at least 1 process, got 0")
        self.ahead = ahead
        self.folder = Path(tempfile.mkdtemp(prefix="scenes-", dir=_memory_folder()))
        self._executor = ProcessPoolExecutor(
            workers,
            mp_context=get_context("spawn"),
            initializer=_start_painter,
            initargs=(start, self.folder),
        )
        self._waiting: deque[Future[_Sent]] = deque()
        self._next = 0
        self._shape = shape
        self._order()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="painted")
        self._chunk = self._reader.submit(self._read)

    def is_ready(self) -> bool:
        """Whether the next chunk is there already."""
        return self._chunk.done()

    def wait(self) -> PaintedChunk:
        """The next chunk, waiting for it where it is not ready; a GPU fetches its images fast."""
        chunk = self._chunk.result()
        self._chunk = self._reader.submit(self._read)
        return chunk

    def _read(self) -> PaintedChunk:
        sent = self._waiting.popleft().result()
        self._order()
        is_pinned = torch.cuda.is_available()
        images = torch.empty(*self._shape, dtype=torch.uint8, pin_memory=is_pinned)
        with sent.path.open("rb", buffering=0) as file:
            file.readinto(images.numpy().data.cast("B"))
        sent.path.unlink()
        styles, phrases = torch.from_numpy(sent.styles), torch.from_numpy(sent.phrases)
        return PaintedChunk(images, styles, phrases)

    def _order(self) -> None:
        while len(self._waiting) < max(1, self.ahead):
            self._waiting.append(self._executor.submit(_paint, self._next))
            self._next += 1

    def close(self) -> None:
        """Stop the processes and remove what they painted."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._reader.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def _memory_folder() -> Path | None:
    is_there = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > MIN_FREE_BYTES
    return SHARED_MEMORY if is_there else None


class ScenePainters(Painters):
    """Processes that paint the scenes of a stream.

    Args:
        table: the sprites.
        options: what to paint: `workers` processes, `ahead` chunks of `batch_size` scenes.
    """

    def __init__(self, table: SpriteTable, options: StreamOptions) -> None:
        shape = options.batch_size, 3, options.side, options.side
        start = partial(_SceneChunks, table.folder, options)
        super().__init__(start, shape, options.workers, options.ahead)


class _SceneChunks:
    """Paints the batches of a stream."""

    def __init__(self, sprites: Path, options: StreamOptions) -> None:
        start_worker(sprites, options, CPU_BATCH)
        self.renderer = SceneRenderer(read_table(sprites))

    def paint(self, number: int) -> PaintedChunk:
        """As `ChunkPainter.paint`."""
        draft = draft_in_worker(number)
        styles = torch.tensor([[scene.style] for scene in draft.scenes], dtype=torch.int64)
        return PaintedChunk(self.renderer.paint(draft.plans), styles, draft.phrases)


@dataclass
class _Process:
    painter: ChunkPainter
    folder: Path


_process: _Process | None = None  # this one, where it paints


def _start_painter(start: Callable[[], ChunkPainter], folder: Path) -> None:
    global _process
    ignore_stop_signals()
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)
    torch.set_num_threads(1)
    _process = _Process(start(), folder)


def _paint(number: int) -> _Sent:
    assert _process is not None  # the initializer of the pool has run
    chunk = _process.painter.paint(number)
    path = _process.folder / f"{number}.u8"
    pixels = chunk.images.add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    pixels.contiguous().numpy().tofile(path)
    return _Sent(path, chunk.styles.numpy(), chunk.phrases.numpy())
