"""One model in the precisions that people ask for."""

import threading
from collections.abc import Callable

import torch

from var_core.devices import pick_dtype
from var_core.pipeline import VARPipeline


class Engine:
    """Pipelines of one model folder, one per dtype; further ones are loaded when asked for.

    Args:
        pipeline: the one that is there already.
        load: gives the same model in another dtype, on the same device.
    """

    def __init__(self, pipeline: VARPipeline, load: Callable[[torch.dtype], VARPipeline]) -> None:
        self.first = pipeline
        self._load = load
        self._loaded = {pipeline.dtype: pipeline}
        self._lock = threading.Lock()

    def is_ready(self) -> bool:
        """Whether the device still works; one that failed an assertion never does again."""
        if self.first.device.type != "cuda":
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
