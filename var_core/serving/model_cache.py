"""The models in memory: all engines of a process share the room for weights."""

import math
import threading
from collections.abc import Callable

import torch

from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline


class ModelCache:
    """Keeps pipelines in memory; the ones that were used longest ago give way.

    Args:
        max_bytes: room for all weights; a pipeline that is needed is loaded in any case.
    """

    def __init__(self, max_bytes: float = math.inf) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._loaded: dict[tuple[str, torch.dtype], VARPipeline] = {}  # the latest used one last

    def pipeline(
        self, info: ModelInfo, dtype: torch.dtype, load: Callable[[torch.dtype], VARPipeline]
    ) -> VARPipeline:
        """A loaded pipeline; others are dropped where there is not enough room for it.

        Args:
            info: the model; models are told apart by their names.
            dtype: dtype of its networks.
            load: function that returns the pipeline in a dtype.

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
        """Names of the loaded models, the latest used one last."""
        return [name for name, _ in self._loaded]

    def _size(self) -> int:
        return sum(one.info.size_bytes(dtype) for (_, dtype), one in self._loaded.items())
