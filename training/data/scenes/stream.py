"""Endless batches of painted scenes with captions, the same for the same numbers."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.captions import MAX_PHRASES, Captioner
from training.data.scenes.description import Scene, scene_random
from training.data.scenes.making import HELD_OUT_SEED, make_scene
from training.data.scenes.phrases import Phrases
from training.data.scenes.plan import Plan, plan_scenes
from training.data.scenes.renderer import SceneRenderer
from training.loop.stop_signals import ignore_stop_signals

NO_PHRASE = -1  # fills the rows of captions with fewer phrases
CAPTION_PURPOSE = 8  # of the chance that words a caption
MAX_TRAINING_SEED = HELD_OUT_SEED - 4  # larger ones are for validation and measuring


@dataclass(frozen=True)
class StreamOptions:
    """What a stream shows, and how it shares the work.

    Batch number n of process r holds the scenes n * W * B + r * B onwards, where W is the number
    of processes and B the batch size; so no scene is shown twice.
    """

    seed: int
    batch_size: int  # scenes a batch and process
    side: int = 256  # pixels
    rank: int = 0  # this process
    num_processes: int = 1  # that train together
    among: tuple[int, ...] | None = None  # things that may be shown; None stands for all
    ahead: int = 3  # batches prepared in advance; 0 prepares each when it is asked for
    workers: int = 0  # processes that describe scenes; 0 leaves it to a thread

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_TRAINING_SEED:
            raise ValueError(f"seed must lie in [0, {MAX_TRAINING_SEED}], got {self.seed}")
        if self.batch_size < 1 or self.ahead < 0 or self.workers < 0:
            raise ValueError(
                f"batch_size {self.batch_size} must be at least 1, ahead {self.ahead} and "
                f"workers {self.workers} at least 0"
            )
        if not 0 <= self.rank < self.num_processes:
            raise ValueError(f"rank {self.rank} must lie in [0, {self.num_processes})")

    def indices(self, batch: int) -> range:
        """Return the numbers of the scenes in a batch."""
        first = (batch * self.num_processes + self.rank) * self.batch_size
        return range(first, first + self.batch_size)


@dataclass(frozen=True)
class SceneBatch:
    """Painted scenes with what is known about them."""

    number: int  # of the batch in its stream
    images: Tensor  # (B, 3, side, side), float32 in [-1, 1], on the renderer's device
    styles: Tensor  # (B,), int64, on the CPU
    phrases: Tensor  # ids of phrases (B, 8), int64, on the CPU; NO_PHRASE where there are fewer
    scenes: tuple[Scene, ...]


@dataclass(frozen=True)
class Draft:
    """Scenes of a batch that are described, and planned, but not painted."""

    plans: list[Plan]
    phrases: Tensor
    scenes: tuple[Scene, ...]


def draft_batch(captioner: Captioner, options: StreamOptions, batch: int, together: int) -> Draft:
    """Describe the scenes of a batch and prepare their painting, `together` at once."""
    table = captioner.table
    scenes = tuple(
        make_scene(table, options.seed, index, options.among) for index in options.indices(batch)
    )
    captions = [captioner.caption(scene, caption_random(scene)) for scene in scenes]
    return Draft(plan_scenes(table, scenes, options.side, together), phrase_rows(captions), scenes)


def caption_random(scene: Scene) -> Random:
    """Return the source of chance that words the caption of a scene."""
    return scene_random(scene.seed, scene.index, CAPTION_PURPOSE)


def phrase_rows(captions: Sequence[Sequence[int]]) -> Tensor:
    """Write captions as rows of ids: (B, 8), int64, filled up with NO_PHRASE."""
    rows = torch.full((len(captions), MAX_PHRASES), NO_PHRASE, dtype=torch.int64)
    for row, ids in zip(rows, captions, strict=True):
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return rows


class SceneStream:
    """Batches without end, from any batch number on.

    Use it in a `with` block, or call `close`, where batches are prepared in advance.
    """

    def __init__(
        self, renderer: SceneRenderer, captioner: Captioner, options: StreamOptions, start: int = 0
    ) -> None:
        self.renderer = renderer
        self.captioner = captioner
        self.options = options
        self.next_batch = start
        self._drafts: deque[Future] = deque()
        self._executor: Executor | None = None

    def batch(self, number: int) -> SceneBatch:
        """Make the batch of a number, whatever was made before."""
        together = self.renderer.batch
        return self._paint(number, draft_batch(self.captioner, self.options, number, together))

    def __iter__(self) -> Iterator[SceneBatch]:
        return self

    def __next__(self) -> SceneBatch:
        """Return the next batch and begin to prepare later ones."""
        number = self.next_batch
        self.next_batch += 1
        if self.options.ahead == 0:
            return self.batch(number)
        while len(self._drafts) <= self.options.ahead:
            self._drafts.append(self._prepare(number + len(self._drafts)))
        result = self._drafts.popleft().result()
        return result if isinstance(result, SceneBatch) else self._paint(number, result)

    def _prepare(self, number: int) -> Future:
        if self._executor is None:
            self._executor = self._open_executor()
        if self.options.workers:
            return self._executor.submit(draft_in_worker, number)
        return self._executor.submit(self.batch, number)

    def _open_executor(self) -> Executor:
        if not self.options.workers:
            return ThreadPoolExecutor(1, thread_name_prefix="scenes")
        folder, together = self.captioner.table.folder, self.renderer.batch
        return ProcessPoolExecutor(
            self.options.workers,
            mp_context=get_context("spawn"),
            initializer=start_worker,
            initargs=(folder, self.options, together),
        )

    def _paint(self, number: int, draft: Draft) -> SceneBatch:
        styles = torch.tensor([scene.style for scene in draft.scenes], dtype=torch.int64)
        images = self.renderer.paint(draft.plans)
        return SceneBatch(number, images, styles, draft.phrases, draft.scenes)

    def close(self) -> None:
        """Stop preparing; batches prepared in advance are dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = None
        self._drafts.clear()

    def __enter__(self) -> "SceneStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class _Worker:
    captioner: Captioner
    options: StreamOptions
    together: int


_worker: _Worker | None = None  # of this process, where it is one of a pool


def start_worker(folder: Path, options: StreamOptions, together: int) -> None:
    """Let this process of a pool describe scenes: the first call in it."""
    global _worker
    ignore_stop_signals()
    torch.set_num_threads(1)
    table: SpriteTable = read_table(folder)
    _worker = _Worker(Captioner(table, Phrases(table)), options, together)


def draft_in_worker(number: int) -> Draft:
    """As `draft_batch`, in a process that `start_worker` began."""
    assert _worker is not None, f"process {os.getpid()} was not started by a stream"
    return draft_batch(_worker.captioner, _worker.options, number, _worker.together)
