"""What draws: the interface that the page and the endpoints see, and the engine in this process."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch

from var_core.devices import pick_dtype
from var_core.pipeline import VARPipeline
from var_core.serving.journal import Journal
from var_core.serving.reconstruction import Reconstruction, code_colours, reconstruct
from var_core.serving.requests import AnyRequest, TokenizeRequest
from var_core.serving.runs import Run, run_request
from var_core.serving.turns import BusyError, Limits, Turns
from var_core.serving.zero_gpu import IS_LENT, on_gpu

TICK_SECONDS = 0.5  # between two words to somebody who waits


def job_of(request: AnyRequest) -> str:
    """What the journal calls a request: draw, edit or vary."""
    return type(request).__name__.removesuffix("Request").lower()


class Engine(Protocol):
    """Draws what is asked, wherever it runs.

    Attributes:
        first: the model as it was loaded; its labels, scales and limits hold for every request.
    """

    first: VARPipeline

    def generate(self, request: AnyRequest, client: str = "") -> Iterator[Run]:
        """Draw or edit; closing the iterator stops the work.

        Args:
            request: what to do.
            client: who asks; the places of each client are bounded.

        Yields:
            While others go first, runs without frames, twice a second; then one run per scale.

        Raises:
            BusyError: if there is no room.
            LateError: if it takes too long; looked at between scales.
            ValueError: if the request does not fit the model.
        """

    def tokenize(self, request: TokenizeRequest, client: str = "") -> Reconstruction:
        """Encode a picture, and decode every prefix of its token maps.

        Raises:
            BusyError: if there is no room.
        """

    def code_colours(self) -> np.ndarray:
        """A colour for every code, (V, 3) uint8: like codes have like colours."""

    def is_ready(self) -> bool:
        """Whether it can draw."""


class LocalEngine:
    """One model folder in this process, one pipeline per dtype; loads further ones when asked.

    Nothing of a request is kept here: cache, generators and latents live in its iterator.

    Args:
        pipeline: the one that is there already.
        load: gives the same model in another dtype, on the same device.
        limits: how much at once.
        journal: hears how every job ends.
    """

    def __init__(
        self,
        pipeline: VARPipeline,
        load: Callable[[torch.dtype], VARPipeline],
        limits: Limits | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.first = pipeline
        self.turns = Turns(limits or Limits())
        self.journal = journal or Journal()
        self._load = load
        self._loaded = {pipeline.dtype: pipeline}
        self._lock = threading.Lock()
        self._draw = on_gpu(self._draw_here)
        self._tokenize = on_gpu(self._tokenize_here)
        self._colour = on_gpu(self._colour_here)
        self._colours: np.ndarray | None = None

    def is_ready(self) -> bool:
        """Whether the device still works; one that failed an assertion never does again."""
        if self.first.device.type != "cuda" or IS_LENT:  # a lent one is not to be touched here
            return True
        try:
            torch.cuda.synchronize(self.first.device)
        except RuntimeError:
            return False
        return True

    def pipeline(self, precision: str) -> VARPipeline:
        """The pipeline of a precision, "auto", "fp32" or "bf16".

        Raises:
            ValueError: if the precision is unknown, or the model can no longer be loaded.
        """
        if precision == "auto":
            return self.first
        dtype = pick_dtype(self.first.device, precision)
        with self._lock:
            if dtype not in self._loaded:
                self._loaded[dtype] = self._load(dtype)
            return self._loaded[dtype]

    def generate(self, request: AnyRequest, client: str = "") -> Iterator[Run]:
        """As `Engine.generate`."""
        asked = time.monotonic()
        with self.journal.job(job_of(request), len(request.labels)) as job:
            turn = self.turns.join(client)
            try:
                while ahead := self.turns.wait(turn, TICK_SECONDS):
                    yield Run(request, ahead=ahead)
                for run in self._draw(request):
                    self.turns.check(turn)
                    if run.number == 1:
                        job.first_preview(time.monotonic() - asked)
                    yield run
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                raise BusyError("the device is out of memory: draw fewer pictures") from error
            finally:
                self.turns.leave(turn)

    def tokenize(self, request: TokenizeRequest, client: str = "") -> Reconstruction:
        """As `Engine.tokenize`."""
        with self.journal.job("tokenize", 1):
            turn = self.turns.join(client)
            try:
                deadline = time.monotonic() + self.turns.limits.seconds
                while self.turns.wait(turn, TICK_SECONDS):
                    if time.monotonic() > deadline:
                        raise BusyError("too many others are drawing: try again in a minute")
                return self._tokenize(request)
            finally:
                self.turns.leave(turn)

    def code_colours(self) -> np.ndarray:
        """As `Engine.code_colours`."""
        if self._colours is None:
            self._colours = self._colour()
        return self._colours

    def _draw_here(self, request: AnyRequest) -> Iterator[Run]:
        yield from run_request(self.pipeline(request.precision), request)

    def _tokenize_here(self, request: TokenizeRequest) -> Reconstruction:
        return reconstruct(self.first, request.image)

    def _colour_here(self) -> np.ndarray:
        return code_colours(self.first)
