"""Processes that paint training scenes in advance, for a device that learns faster than one paints.

A chunk of painted scenes is too large for the pipe between two processes: it travels as a file,
which stays in memory.
"""

import shutil
import tempfile
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.renderer import CPU_BATCH, SceneRenderer
from training.data.scenes.stream import StreamOptions, draft_in_worker, start_worker

SHARED_MEMORY = Path("/dev/shm")  # of Linux
MIN_FREE_BYTES = 4 << 30  # below, files go to the usual temporary folder


@dataclass(frozen=True)
class PaintedChunk:
    """Some scenes with what is said of them, on the CPU.

    Attributes:
        images: (N, 3, S, S) uint8.
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


class ScenePainters:
    """Chunks of painted scenes in their order; close it to stop the processes.

    Args:
        table: the sprites.
        options: what to paint: `workers` processes, `ahead` chunks of `batch_size` scenes.

    Raises:
        ValueError: if there is no process.
    """

    def __init__(self, table: SpriteTable, options: StreamOptions) -> None:
        if not options.workers:
            raise ValueError("scenes are painted by at least 1 process, got 0")
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="scenes-", dir=_memory_folder()))
        self._executor = ProcessPoolExecutor(
            options.workers,
            mp_context=get_context("spawn"),
            initializer=_start_painter,
            initargs=(table.folder, options, self.folder),
        )
        self._waiting: deque[Future[_Sent]] = deque()
        self._next = 0
        shape = options.batch_size, 3, options.side, options.side
        self._images = torch.empty(shape, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
        self._order()

    def is_ready(self) -> bool:
        """Whether the next chunk is there already."""
        return self._waiting[0].done()

    def wait(self) -> PaintedChunk:
        """The next chunk, waiting for it where it is not ready; its images last until the next."""
        sent = self._waiting.popleft().result()
        self._order()
        with sent.path.open("rb", buffering=0) as file:
            file.readinto(self._images.numpy().data.cast("B"))
        sent.path.unlink()
        styles, phrases = torch.from_numpy(sent.styles), torch.from_numpy(sent.phrases)
        return PaintedChunk(self._images, styles.unsqueeze(1), phrases)

    def _order(self) -> None:
        while len(self._waiting) < max(1, self.options.ahead):
            self._waiting.append(self._executor.submit(_paint, self._next))
            self._next += 1

    def close(self) -> None:
        """Stop the processes and remove what they painted."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _memory_folder() -> Path | None:
    is_there = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > MIN_FREE_BYTES
    return SHARED_MEMORY if is_there else None


@dataclass
class _Painter:
    renderer: SceneRenderer
    folder: Path


_painter: _Painter | None = None  # of this process, where it is one that paints


def _start_painter(sprites: Path, options: StreamOptions, folder: Path) -> None:
    global _painter
    start_worker(sprites, options, CPU_BATCH)
    _painter = _Painter(SceneRenderer(read_table(sprites)), folder)


def _paint(number: int) -> _Sent:
    assert _painter is not None  # the initializer of the pool has run
    draft = draft_in_worker(number)
    images = _painter.renderer.paint(draft.plans)
    path = _painter.folder / f"{number}.u8"
    images.add_(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).numpy().tofile(path)
    styles = np.array([scene.style for scene in draft.scenes])
    return _Sent(path, styles, draft.phrases.numpy())
