"""What a replica does: it draws what an engine elsewhere asks for, one thing at a time.

Nothing here needs Ray. `ray_engine.py` makes replicas of this class, and asks them.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from var_core.devices import pick_device, pick_dtype
from var_core.jobs.progress import JobProgress, Request
from var_core.model_info import ModelInfo
from var_core.serving.executors import jobs_at_once, tokenizer_threads
from var_core.serving.installed_engines import (
    Load,
    ModelFolders,
    clip_model,
    installed_models,
    new_cache,
    with_threads,
)
from var_core.serving.machine_troubles import is_memory
from var_core.serving.progress_parts import Part, shorten
from var_core.serving.worker import ModelWorker

EXIT_NO_MEMORY = 1
GATHER_SECONDS = 0.02  # previews of this time travel together


class HangsError(Exception):
    """A replica does not go on."""


def end_process() -> None:
    """End this process at once: what is left of its memory may not be enough for more."""
    os._exit(EXIT_NO_MEMORY)


class Replica:
    """The models of a server, drawn in one thread.

    An error that the caller is to see comes as a value: as an exception, Ray would write it into
    its logs, with words of visitors. A replica that runs out of main memory ends: Ray starts
    another one, and the job is done elsewhere.

    Args:
        folders: models of the server, in this machine.
        precision: what the precision "auto" of a request means, one of PRECISIONS.
        num_threads: number of threads for a product; 0 leaves it to torch.
        num_cores: cores of the server in whose place this draws: a tokenizer has as many threads
            as it would have there, for the same bytes; 0: as many as a product.
        seconds: time that one step may take, before the replica counts as hanging.
        end: function that ends this process.
        clock: function that returns seconds that never go back.

    Raises:
        ValueError: if a model folder is missing or damaged.
    """

    def __init__(
        self,
        folders: ModelFolders,
        precision: str,
        num_threads: int = 0,
        num_cores: int = 0,
        seconds: float = 60.0,
        end: Callable[[], object] = end_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if num_threads:
            torch.set_num_threads(num_threads)
        device = pick_device()
        dtype, cache = pick_dtype(device, precision), new_cache()
        models = installed_models(folders, device)
        first, animator = models[0][0].name, clip_model(folders, device)
        models += [] if animator is None else [animator]

        def make(info: ModelInfo, load: Load) -> ModelWorker:
            if num_cores and device.type == "cpu":
                jobs = jobs_at_once(num_cores)
                load = with_threads(load, lambda size: tokenizer_threads(size, jobs, num_cores))
            return ModelWorker(info, load, cache, device, dtype)

        self._workers = {info.name: make(info, load) for info, load in models}
        self._thread = ThreadPoolExecutor(1, "draw")
        self._seconds, self._end, self._clock = seconds, end, clock
        self._since: float | None = None  # when the current step began
        self.device = device.type
        self._workers[first].prepare()

    def about(self) -> str:
        """The type of the device that draws."""
        return self.device

    def check_health(self) -> None:
        """Check that this replica can go on; Ray replaces one that cannot.

        Raises:
            HangsError: if it cannot.
        """
        since = self._since
        if since is not None and self._clock() - since > self._seconds:
            raise HangsError(f"a step takes more than {self._seconds:g} seconds")

    async def ask(self, model: str, method: str, *given: Any) -> Any:
        """The result of a method of a `Worker` that has no steps, or the error that it raised."""
        work = getattr(self._workers[model], method)
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._step(lambda: work(*given))
        )

    async def draw(self, model: str, request: Request) -> AsyncIterator[list[Part | Exception]]:
        """As `Worker.draw`, in parts, or the error that it raised; closing it ends it in a scale.

        The thread goes on while previews are on their way. Those of a small model come faster than
        anybody can see, so they travel together.
        """
        loop = asyncio.get_running_loop()
        found: list[JobProgress | Exception] = []  # touched in the loop alone
        is_left, worker = threading.Event(), self._workers[model]

        def run() -> None:
            with contextlib.closing(worker.draw(request)) as steps:
                while not is_left.is_set():
                    item = self._step(lambda: next(steps, None))
                    if item is not None:
                        loop.call_soon_threadsafe(found.append, item)
                    if not isinstance(item, JobProgress):
                        break

        done, before = loop.run_in_executor(self._thread, run), JobProgress(request)
        try:
            while found or not done.done():
                parts: list[Part | Exception] = []
                for item in found:
                    if isinstance(item, JobProgress):
                        parts.append(shorten(item, before))
                        before = item
                    else:
                        parts.append(item)
                found.clear()
                if parts:
                    yield parts
                await asyncio.wait([done], timeout=GATHER_SECONDS)
        finally:
            is_left.set()
            await asyncio.wait([done])

    def _step(self, work: Callable[[], Any]) -> Any:
        """The result of some work, or its error."""
        self._since = self._clock()
        try:
            return work()
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            return error
        except Exception as error:
            if is_memory(error):
                self._end()
            return error
        finally:
            self._since = None
