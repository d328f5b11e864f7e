"""What draws: the interface that the page and the endpoints see, and the engine in this process."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from var_core.devices import pick_dtype
from var_core.jobs.progress import JobProgress, Request, sharpen
from var_core.jobs.reconstruction import Reconstruction, code_colours, reconstruct
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.serving.executors import ONE_THREAD
from var_core.serving.fair_queue import BusyError, Limits, Turns
from var_core.serving.metrics import Journal
from var_core.serving.zero_gpu import IS_LENT, on_gpu

TICK_SECONDS = 0.5  # between two words to somebody who waits
CPU = torch.device("cpu")


class Engine(Protocol):
    """Draws what is asked, wherever it runs.

    Attributes:
        info: labels, scales and limits of the model.
        device: where it draws.
        sharpen_seconds: time after a drawing for true decodes that nobody has asked for.
    """

    info: ModelInfo
    device: torch.device
    sharpen_seconds: float

    def generate(self, request: Request, client: str = "") -> Iterator[JobProgress]:
        """Draw or edit; closing the iterator stops the work.

        Args:
            request: what to do.
            client: who asks; the places of each client are bounded.

        Yields:
            While others go first, progress without frames, twice a second; then as `Request.start`.

        Raises:
            BusyError: if there is no room.
            LateError: if it takes too long; looked at between scales.
            ValueError: if the request does not fit the model.
        """

    def tokenize(self, image: Image.Image, client: str = "") -> Reconstruction:
        """Encode a picture, and decode every prefix of its token maps.

        Raises:
            BusyError: if there is no room.
        """

    def sharpen(
        self, progress: JobProgress, client: str = "", scale: int | None = None
    ) -> JobProgress:
        """Replace one sketch by the true decode, as `progress.sharpen`.

        Raises:
            BusyError: if there is no room.
        """

    def is_idle(self) -> bool:
        """Whether nobody draws or waits."""

    def code_colours(self) -> np.ndarray:
        """A colour for every code, (V, 3) uint8: like codes have like colours."""

    def is_ready(self) -> bool:
        """Whether it can draw."""


def sharpen_while_idle(engine: Engine, progress: JobProgress, client: str) -> JobProgress:
    """A progress with as many true decodes as there is time for, the newest ones first.

    The page's buttons do nothing until this is done, and somebody else may come: what would take
    longer is made when it is asked for.
    """
    left, took = engine.sharpen_seconds, 0.0
    with contextlib.suppress(BusyError):
        while progress.num_sketches and took <= left and engine.is_idle():
            started = time.monotonic()
            progress = engine.sharpen(progress, client)
            took = time.monotonic() - started
            left -= took
    return progress


class Memory:
    """Which pipelines are loaded, all engines of a process together; the oldest ones give way.

    Args:
        max_bytes: of all weights; the one that is needed is loaded in any case.
    """

    def __init__(self, max_bytes: float = math.inf) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._loaded: dict[tuple[str, torch.dtype], VARPipeline] = {}  # the latest used one last

    def pipeline(
        self, info: ModelInfo, dtype: torch.dtype, load: Callable[[torch.dtype], VARPipeline]
    ) -> VARPipeline:
        """A loaded pipeline; others are let go of where there is not enough room for it.

        Args:
            info: the model; models are told apart by their names.
            dtype: dtype of its networks.
            load: returns the pipeline in a dtype.

        Raises:
            ValueError: if it can no longer be loaded.
        """
        with self._lock:
            pipeline, size = self._loaded.pop((info.name, dtype), None), info.size_bytes(dtype)
            while self._loaded and pipeline is None and self._size() + size > self.max_bytes:
                self._loaded.pop(next(iter(self._loaded)))
            pipeline = load(dtype) if pipeline is None else pipeline
            self._loaded[info.name, dtype] = pipeline
            return pipeline

    def names(self) -> list[str]:
        """Models that are loaded, the latest used one last."""
        return [name for name, _ in self._loaded]

    def _size(self) -> int:
        return sum(one.info.size_bytes(dtype) for (_, dtype), one in self._loaded.items())


class LocalEngine:
    """One model folder in this process, one pipeline per dtype, loaded when it is asked for.

    Nothing of a request is kept here: cache, generators and latents live in its iterator.

    Args:
        info: the model.
        load: returns the model's pipeline in a dtype, on the device.
        turns: who draws next; shared by the engines of a process.
        journal: hears how every job ends.
        memory: holds what is loaded; likewise shared.
        device: device of the pipelines.
        dtype: dtype of the precision "auto".
    """

    def __init__(
        self,
        info: ModelInfo,
        load: Callable[[torch.dtype], VARPipeline],
        turns: Turns | None = None,
        journal: Journal | None = None,
        memory: Memory | None = None,
        device: torch.device = CPU,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.info = info
        self.device = device
        self.dtype = dtype
        self.turns = turns or Turns(Limits())
        self.sharpen_seconds = self.turns.limits.sharpen_seconds
        self.journal = journal or Journal()
        self._load = load
        self._memory = memory or Memory()
        place = on_gpu if IS_LENT else ONE_THREAD.brings
        self._draw = place(self._draw_here)
        self._sharpen = place(self._sharpen_here)
        self._tokenize = place(self._tokenize_here)
        self._colour = place(self._colour_here)
        self._colours: np.ndarray | None = None

    def is_ready(self) -> bool:
        """Whether the device still works; one that failed an assertion never does again."""
        if self.device.type != "cuda" or IS_LENT:  # a lent one is not to be touched here
            return True
        try:
            torch.cuda.synchronize(self.device)
        except RuntimeError:
            return False
        return True

    def prepare(self) -> None:
        """Load what "auto" draws with, so that nobody has to wait for it.

        Raises:
            ValueError: if the model can no longer be loaded.
        """
        if IS_LENT:  # the hooks that put weights on a lent GPU are those of the main thread alone
            self.pipeline("auto")
        else:
            ONE_THREAD.run(self.pipeline, "auto")

    def pipeline(self, precision: str) -> VARPipeline:
        """The pipeline of a precision, "auto", "fp32" or "bf16".

        Raises:
            ValueError: if the precision is unknown, or the model can no longer be loaded.
        """
        dtype = self.dtype if precision == "auto" else pick_dtype(self.device, precision)
        return self._memory.pipeline(self.info, dtype, self._load)

    def generate(self, request: Request, client: str = "") -> Iterator[JobProgress]:
        """As `Engine.generate`."""
        asked = time.monotonic()
        with self.journal.job(request.job, len(request.labels)) as job:
            turn = self.turns.join(client)
            try:
                while ahead := self.turns.wait(turn, TICK_SECONDS):
                    yield JobProgress(request, ahead=ahead)
                for progress in self._draw(request):
                    self.turns.check(turn)
                    if progress.number == 1:
                        job.first_preview(time.monotonic() - asked)
                    yield progress
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                raise BusyError("the device is out of memory: draw fewer pictures") from error
            finally:
                self.turns.leave(turn)

    def sharpen(
        self, progress: JobProgress, client: str = "", scale: int | None = None
    ) -> JobProgress:
        """As `Engine.sharpen`."""
        with self._turn_of(client):
            return self._sharpen(progress, scale)

    def is_idle(self) -> bool:
        """As `Engine.is_idle`."""
        return self.turns.counts() == (0, 0)

    def tokenize(self, image: Image.Image, client: str = "") -> Reconstruction:
        """As `Engine.tokenize`."""
        with self.journal.job("tokenize", 1), self._turn_of(client):
            return self._tokenize(image)

    @contextlib.contextmanager
    def _turn_of(self, client: str) -> Iterator[None]:
        """Wait for a turn, hold it."""
        turn = self.turns.join(client)
        try:
            deadline = time.monotonic() + self.turns.limits.seconds
            while self.turns.wait(turn, TICK_SECONDS):
                if time.monotonic() > deadline:
                    raise BusyError("too many others are drawing: try again in a minute")
            yield
        finally:
            self.turns.leave(turn)

    def code_colours(self) -> np.ndarray:
        """As `Engine.code_colours`."""
        if self._colours is None:
            self._colours = self._colour()
        return self._colours

    def _draw_here(self, request: Request) -> Iterator[JobProgress]:
        pipeline = self.pipeline(request.precision)
        for progress in request.start(pipeline):
            while IS_LENT and progress.is_drawn and progress.num_sketches:  # while it is lent
                progress = sharpen(pipeline, progress)
            yield progress

    def _sharpen_here(self, progress: JobProgress, scale: int | None) -> JobProgress:
        return sharpen(self.pipeline(progress.request.precision), progress, scale)

    def _tokenize_here(self, image: Image.Image) -> Reconstruction:
        return reconstruct(self.pipeline("auto"), image)

    def _colour_here(self) -> np.ndarray:
        return code_colours(self.pipeline("auto"))
