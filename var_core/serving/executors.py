"""Where the work on the networks runs: in one thread of this process, or on a lent GPU.

OpenMP gives every thread that multiplies a team of its own. As soon as all teams together have more
threads than the machine has cores, those of GNU's OpenMP no longer spin while they wait, but sleep,
and each product pays for waking them: a small model then takes twice as long to draw. A server's
handlers run in many threads; so all drawing of a process goes through one `DrawingThread`.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image

from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.question import Question
from var_core.jobs.reconstruction import Reconstruction
from var_core.serving.run_ahead import items_of

Result = TypeVar("Result")
LENT_SECONDS = 15  # time asked for per call on a lent GPU; short requests are served first


class Worker(Protocol):
    """The work that has to happen where the networks are; see `ModelWorker`."""

    def prepare(self) -> None:
        """Load what the precision "auto" draws with."""
        ...

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """Draw or edit."""
        ...

    def sharpen(self, progress: JobProgress, scale: int | None) -> JobProgress:
        """Replace one sketch by the true decode."""
        ...

    def tokenize(self, image: Image.Image) -> Reconstruction:
        """Encode a picture, and decode every prefix of its token maps."""
        ...

    def answer(self, question: Question[Result]) -> Result:
        """Answer a question about a picture."""
        ...

    def code_colours(self) -> np.ndarray:
        """A colour for every code."""
        ...


class Executor(Protocol):
    """Decides where workers work.

    Attributes:
        is_lent: whether the device is there only during a call, for models that were loaded at the
            start of the process.
    """

    is_lent: bool

    def host(self, worker: Worker) -> Worker:
        """The same worker, working in the executor's place."""
        ...

    def is_ready(self, device: torch.device) -> bool:
        """Whether the device still works."""
        ...


class DrawingThread:
    """A thread of its own for all workers, which take turns between the steps of a drawing.

    A drawing goes from step to step by itself, ahead of whoever reads it: a step that had to be
    asked for would cost the way to the other thread and back, while cores stand idle. As soon as
    other work waits, that comes first.
    """

    is_lent = False

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "draw", initializer=self._begin)
        self._ident: int | None = None
        self._lock = threading.Lock()
        self._num_waiting = 0

    def _begin(self) -> None:
        self._ident = threading.get_ident()

    def host(self, worker: Worker) -> Worker:
        """As `Executor.host`."""
        return _ThreadWorker(self, worker)

    def is_ready(self, device: torch.device) -> bool:
        """As `Executor.is_ready`; a GPU that failed an assertion never works again."""
        if device.type != "cuda":
            return True
        try:
            torch.cuda.synchronize(device)
        except RuntimeError:
            return False
        return True

    def run(self, work: Callable[[], Result]) -> Result:
        """The result of a call in the thread; an exception is raised here as it was there."""
        if threading.get_ident() == self._ident:  # waiting for oneself would never end
            return work()
        return self._submit(work).result()

    def iterate(self, steps: Generator[Result, None, None]) -> Generator[Result, None, None]:
        """A generator whose steps run in the thread, and which is closed there.

        At most the step in progress is finished once it is closed.
        """
        found: SimpleQueue[tuple[Result] | BaseException | None] = SimpleQueue()
        is_left = threading.Event()

        def go_on() -> None:
            try:
                while not is_left.is_set():
                    step = _next(steps)
                    found.put(step)
                    if step is None:
                        return
                    if self._num_waiting:
                        self._submit(go_on)
                        return
            except BaseException as error:
                found.put(error)

        try:
            self._submit(go_on)
            yield from items_of(found)
        finally:
            is_left.set()
            self.run(steps.close)

    def _submit(self, work: Callable[[], Result]) -> Future[Result]:
        def begin() -> Result:
            with self._lock:
                self._num_waiting -= 1
            return work()

        with self._lock:  # whoever is counted is in the queue
            self._num_waiting += 1
            return self._pool.submit(begin)


def _next(steps: Iterator[Result]) -> tuple[Result] | None:
    """The next step in a tuple; None at the end."""
    for step in steps:
        return (step,)
    return None


class _ThreadWorker:
    """A worker in a `DrawingThread`."""

    def __init__(self, thread: DrawingThread, worker: Worker) -> None:
        self._thread = thread
        self._worker = worker

    def prepare(self) -> None:
        """As `Worker.prepare`."""
        self._thread.run(self._worker.prepare)

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """As `Worker.draw`."""
        return self._thread.iterate(self._worker.draw(request))

    def sharpen(self, progress: JobProgress, scale: int | None) -> JobProgress:
        """As `Worker.sharpen`."""
        return self._thread.run(lambda: self._worker.sharpen(progress, scale))

    def tokenize(self, image: Image.Image) -> Reconstruction:
        """As `Worker.tokenize`."""
        return self._thread.run(lambda: self._worker.tokenize(image))

    def answer(self, question: Question[Result]) -> Result:
        """As `Worker.answer`."""
        return self._thread.run(lambda: self._worker.answer(question))

    def code_colours(self) -> np.ndarray:
        """As `Worker.code_colours`."""
        return self._thread.run(self._worker.code_colours)


class LentGpu:
    """A GPU for the seconds of one call, as on Hugging Face ZeroGPU.

    The host runs each call in a forked process: arguments, yields and results are pickled, so they
    must be plain or CPU data, and what a call changes outside is lost.

    Args:
        lend: wraps a function or generator function, so that it runs where the GPU is.
    """

    is_lent = True

    def __init__(self, lend: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._lend = lend

    def host(self, worker: Worker) -> Worker:
        """As `Executor.host`; to be called before the server starts."""
        return _LentWorker(self._lend, worker)

    def is_ready(self, device: torch.device) -> bool:
        """As `Executor.is_ready`; a lent GPU must not be touched here."""
        return True


class _LentWorker:
    """A worker on a `LentGpu`."""

    def __init__(
        self, lend: Callable[[Callable[..., Any]], Callable[..., Any]], worker: Worker
    ) -> None:
        def draw_sharply(request: Request) -> Generator[JobProgress, None, None]:
            """Draw, and sharpen all sketches while the GPU is there."""
            for progress in worker.draw(request):
                while progress.is_drawn and progress.num_sketches:
                    progress = worker.sharpen(progress, None)
                yield progress

        self._worker = worker
        self._draw = lend(draw_sharply)
        self._sharpen = lend(worker.sharpen)
        self._tokenize = lend(worker.tokenize)
        self._answer = lend(worker.answer)
        self._code_colours = lend(worker.code_colours)

    def prepare(self) -> None:
        """As `Worker.prepare`, in the main thread: only there weights are moved to a lent GPU."""
        self._worker.prepare()

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """As `Worker.draw`; the last progress has no sketches."""
        return self._draw(request)

    def sharpen(self, progress: JobProgress, scale: int | None) -> JobProgress:
        """As `Worker.sharpen`."""
        return self._sharpen(progress, scale)

    def tokenize(self, image: Image.Image) -> Reconstruction:
        """As `Worker.tokenize`."""
        return self._tokenize(image)

    def answer(self, question: Question[Result]) -> Result:
        """As `Worker.answer`."""
        return self._answer(question)

    def code_colours(self) -> np.ndarray:
        """As `Worker.code_colours`."""
        return self._code_colours()


def pick_executor() -> Executor:
    """The lent GPU of a ZeroGPU Space, else a thread.

    To be called before CUDA is used: the package `spaces` replaces parts of torch.
    """
    try:
        import spaces
        from spaces.config import Config
    except ImportError:  # not on a Space, or on one with hardware of its own
        return DrawingThread()
    return LentGpu(spaces.GPU(duration=LENT_SECONDS)) if Config.zero_gpu else DrawingThread()
