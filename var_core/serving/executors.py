"""Where the work on the networks runs: in threads of this process, or on a lent GPU.

OpenMP gives every thread that multiplies a team of its own. As soon as all teams together have more
threads than the machine has cores, those of GNU's OpenMP no longer spin while they wait, but sleep,
and each product pays for waking them: a small model then takes twice as long to draw. A server's
handlers run in many threads; so all drawing of a process goes through its `DrawingThreads`, which
share the cores. The first has all of them while nobody else draws. Two jobs at once with a core
each draw a fifth more than one after the other on both cores.

Kernels of encoder and decoder round differently with another number of threads. Theirs is fixed, so
that a picture does not depend on who else draws: the share of one job for a small tokenizer, all
cores for a large one.
"""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image

from var_core.devices import pick_device
from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.question import Question
from var_core.jobs.reconstruction import Reconstruction
from var_core.serving.drawing_thread import DrawingThread

Result = TypeVar("Result")
LARGE_TOKENIZER = 20_000_000  # parameters; the published one has 108 million
MAX_JOBS = 4  # at once on a processor: the interpreter runs one thread at a time
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
        num_jobs: how many jobs should run at once.
    """

    is_lent: bool
    num_jobs: int

    def host(self, worker: Worker) -> Worker:
        """The same worker, working in the executor's place."""
        ...

    def is_ready(self, device: torch.device) -> bool:
        """Whether the device still works."""
        ...

    def tokenizer_threads(self, num_parameters: int) -> int | None:
        """How many threads a tokenizer of a size always has; None: as many as its caller."""
        ...


def jobs_at_once(num_cores: int) -> int:
    """How many jobs a processor with so many cores does at once."""
    return min(num_cores, MAX_JOBS)


def tokenizer_threads(num_parameters: int, num_jobs: int, num_cores: int) -> int | None:
    """How many threads a tokenizer has on a processor where some jobs share the cores.

    Args:
        num_parameters: those of the tokenizer.
        num_jobs: how many jobs may run at once.
        num_cores: how many cores they share.

    Returns:
        the number; None: as many as its caller has.
    """
    if num_jobs == 1:
        return None
    return max(1, num_cores // num_jobs) if num_parameters < LARGE_TOKENIZER else num_cores


class DrawingThreads:
    """Threads of their own for all workers; jobs in the same one take turns between their steps.

    Args:
        num_threads: how many jobs may run at once, each in a thread of its own.
        num_cores: how many cores they share; None: as many as torch uses.
    """

    is_lent = False

    def __init__(self, num_threads: int = 1, num_cores: int | None = None) -> None:
        self.num_jobs = num_threads
        self._lock = threading.Lock()
        self._num_cores = num_cores or torch.get_num_threads()
        self._share = max(1, self._num_cores // num_threads)
        self._threads = [DrawingThread(self._cores_of) for _ in range(num_threads)]

    def _cores_of(self, thread: DrawingThread) -> int:
        """How many cores a thread may use now: the first one has what the others leave."""
        first, *others = self._threads
        if thread is not first:
            return self._share
        num_busy = sum(one.num_jobs > 0 for one in others)
        return max(self._share, self._num_cores - num_busy * self._share)

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

    def tokenizer_threads(self, num_parameters: int) -> int | None:
        """As `Executor.tokenizer_threads`."""
        return tokenizer_threads(num_parameters, self.num_jobs, self._num_cores)

    @contextlib.contextmanager
    def _thread(self) -> Iterator[DrawingThread]:
        """The thread with the fewest jobs, which has one more meanwhile."""
        with self._lock:
            thread = min(self._threads, key=lambda one: one.num_jobs)  # the first of equals
            thread.num_jobs += 1
        try:
            yield thread
        finally:
            with self._lock:
                thread.num_jobs -= 1

    def run(self, work: Callable[[], Result]) -> Result:
        """The result of a call in a thread; an exception is raised here as it was there."""
        if any(thread.is_here() for thread in self._threads):  # waiting for itself would not end
            return work()
        with self._thread() as thread:
            return thread.submit(work).result()

    def iterate(self, steps: Generator[Result, None, None]) -> Generator[Result, None, None]:
        """A generator whose steps run in one of the threads, as `DrawingThread.iterate`."""
        with self._thread() as thread:
            yield from thread.iterate(steps)


class _ThreadWorker:
    """A worker in `DrawingThreads`."""

    def __init__(self, threads: DrawingThreads, worker: Worker) -> None:
        self._threads = threads
        self._worker = worker

    def prepare(self) -> None:
        """As `Worker.prepare`."""
        self._threads.run(self._worker.prepare)

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """As `Worker.draw`."""
        return self._threads.iterate(self._worker.draw(request))

    def sharpen(self, progress: JobProgress, scale: int | None) -> JobProgress:
        """As `Worker.sharpen`."""
        return self._threads.run(lambda: self._worker.sharpen(progress, scale))

    def tokenize(self, image: Image.Image) -> Reconstruction:
        """As `Worker.tokenize`."""
        return self._threads.run(lambda: self._worker.tokenize(image))

    def answer(self, question: Question[Result]) -> Result:
        """As `Worker.answer`."""
        return self._threads.run(lambda: self._worker.answer(question))

    def code_colours(self) -> np.ndarray:
        """As `Worker.code_colours`."""
        return self._threads.run(self._worker.code_colours)


class LentGpu:
    """A GPU for the seconds of one call, as on Hugging Face ZeroGPU.

    The host runs each call in a forked process: arguments, yields and results are pickled, so they
    must be plain or CPU data, and what a call changes outside is lost.

    Args:
        lend: wraps a function or generator function, so that it runs where the GPU is.
    """

    is_lent = True
    num_jobs = 1

    def __init__(self, lend: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._lend = lend

    def host(self, worker: Worker) -> Worker:
        """As `Executor.host`; to be called before the server starts."""
        return _LentWorker(self._lend, worker)

    def is_ready(self, device: torch.device) -> bool:
        """As `Executor.is_ready`; a lent GPU must not be touched here."""
        return True

    def tokenizer_threads(self, num_parameters: int) -> int | None:
        """As `Executor.tokenizer_threads`."""
        return None


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
    """The lent GPU of a ZeroGPU Space; one thread for a GPU of one's own; else some threads.

    To be called before CUDA is used: the package `spaces` replaces parts of torch.
    """
    if _is_lent():
        import spaces

        return LentGpu(spaces.GPU(duration=LENT_SECONDS))
    if pick_device().type != "cpu":
        return DrawingThreads()
    return DrawingThreads(jobs_at_once(torch.get_num_threads()))


def _is_lent() -> bool:
    """Whether this is a Space without hardware of its own."""
    try:
        from spaces.config import Config
    except ImportError:
        return False
    return Config.zero_gpu
