"""What an engine is to page and endpoints.

A new kind of engine is a class with the methods of `Engine`, in a new file beside this one, which
`make_engines` in `installed_engines.py` builds.

`local_engine.py` has the one that draws in this process, `installed_engines.py` builds the engines
of a server, `executors.py` decides where their networks run: in a thread, or on a lent GPU.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import numpy as np
import torch
from PIL import Image

from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.question import Question
from var_core.jobs.reconstruction import Reconstruction
from var_core.model_info import ModelInfo
from var_core.serving.fair_queue import BusyError

Answer = TypeVar("Answer")


class Engine(Protocol):
    """Draws what is asked for, wherever it runs.

    Attributes:
        info: labels, scales and limits of the model.
        device: device of the networks.
        sharpen_seconds: time after a drawing for true decodes that nobody has asked for.
        animator: engine of the server's model of clips, which draws `AnimateRequest` alone; None
            where there is none.
    """

    info: ModelInfo
    device: torch.device
    sharpen_seconds: float
    animator: "Engine | None"

    def prepare(self) -> None:
        """Get ready to draw, so that nobody has to wait for it.

        Raises:
            ValueError: if the model can no longer be loaded.
        """
        ...

    def generate(self, request: Request, client: str = "") -> Iterator[JobProgress]:
        """Draw or edit; closing the iterator stops the work.

        Args:
            request: what to do.
            client: address of the person who asks; the places of each client are bounded.

        Yields:
            While others go first, progress without frames, twice a second; then as `Request.start`.

        Raises:
            BusyError: if there is no room.
            LateError: if it takes too long; checked between scales.
            ValueError: if the request does not fit the model.
        """
        ...

    def tokenize(self, picture: Callable[[], Image.Image], client: str = "") -> Reconstruction:
        """Encode a picture, and decode every prefix of its token maps.

        Args:
            picture: function that returns the picture; called when its turn has come, so that
                those who wait hold no pixels.
            client: address of the person who asks.

        Raises:
            BusyError: if there is no room.
            ValueError: if the picture cannot be read.
        """
        ...

    def answer(self, question: Question[Answer], client: str = "") -> Answer:
        """Answer a question about a picture, in a turn.

        Args:
            question: what is asked.
            client: address of the person who asks.

        Raises:
            BusyError: if there is no room.
            ValueError: if the question does not fit the model.
        """
        ...

    def sharpen(
        self, progress: JobProgress, client: str = "", scale: int | None = None
    ) -> JobProgress:
        """Replace one sketch by the true decode, as `progress.sharpen`.

        Raises:
            BusyError: if there is no room.
        """
        ...

    def turn(
        self, client: str = "", *, is_owed: bool = False
    ) -> contextlib.AbstractContextManager[None]:
        """A turn for other heavy work, such as decoding or compressing large pictures.

        Args:
            client: address of the person who asks.
            is_owed: whether it is the end of a job that had its turn: then there is always room.

        Raises:
            BusyError: if there is no room.
        """
        ...

    def is_idle(self) -> bool:
        """Whether nobody draws or waits."""
        ...

    def code_colours(self) -> np.ndarray:
        """A colour for every code, (V, 3) uint8: codes that are near each other look alike."""
        ...

    def is_ready(self) -> bool:
        """Whether it can draw."""
        ...


def sharpen_while_idle(engine: Engine, progress: JobProgress, client: str) -> JobProgress:
    """Make as many true decodes as there is time for, the newest ones first.

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
