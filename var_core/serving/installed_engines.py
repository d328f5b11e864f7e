"""Builds the engines of a server: one for each installed model, of the kind `LocalEngine`.

They share one queue, one cache and one executor. Another kind of engine, a class with the methods
of `Engine` (`engine.py`) in a file like `local_engine.py`, is built here in `make_engines`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import psutil
import torch

from var_core.adapters import load_adapter
from var_core.clip_pipeline import VARClipPipeline
from var_core.devices import pick_device, pick_dtype
from var_core.model_info import CLIPS, ModelInfo, read_model_info
from var_core.official.catalogue import MODELS, models_folder
from var_core.pipeline import VARPipeline
from var_core.serving.engine import Engine
from var_core.serving.executors import Executor
from var_core.serving.fair_queue import FairQueue
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.serving.model_cache import ModelCache

MEMORY_SHARE = 0.5  # share of the machine's memory for the weights of all models together


def make_engines(
    first: Path,
    precision: str,
    executor: Executor,
    metrics: JobMetrics,
    queue: FairQueue,
    clips: Path | None = None,
    adapter: Path | None = None,
) -> list[Engine]:
    """One engine for each model: the given one, then the other installed ones.

    Args:
        first: model folder of the first engine.
        precision: what the precision "auto" of a request means, one of PRECISIONS.
        executor: decides where the networks run.
        metrics: counts how jobs end.
        queue: decides who draws next.
        clips: folder of a model of clips, which animates for all engines; None for none.
        adapter: folder of an adapter of the given model; with it, that is one more model.

    Raises:
        ValueError: if a folder is missing, damaged or of the wrong kind, or the adapter belongs to
            another model.
    """
    device = pick_device()
    dtype = pick_dtype(device, precision)
    cache = ModelCache(MEMORY_SHARE * psutil.virtual_memory().total)

    def make(info: ModelInfo, load: Callable[[torch.dtype], VARPipeline]) -> LocalEngine:
        return LocalEngine(
            info,
            load,
            queue=queue,
            metrics=metrics,
            cache=cache,
            executor=executor,
            device=device,
            dtype=dtype,
        )

    engines: dict[str, LocalEngine] = {}
    for info, folder, added in _models(first, adapter, executor):
        if info.name not in engines:
            engines[info.name] = make(info, partial(_load_model, folder, added, device))
    if clips is not None:
        info = read_model_info(clips, CLIPS)
        if info.name in engines or executor.is_lent:
            told = "is not for a lent GPU" if executor.is_lent else "has the name of another model"
            raise ValueError(f"the model of clips {clips} {told}")
        animator = make(info, partial(_load_clips, clips, device))
        for engine in engines.values():
            engine.animator = animator
    return list[Engine](engines.values())


def _models(
    first: Path, adapter: Path | None, executor: Executor
) -> Iterator[tuple[ModelInfo, Path, Path | None]]:
    """All models, each with its folder and adapter."""
    info = read_model_info(first)
    if adapter is not None:
        yield _adapted(info, adapter), first, adapter
    if adapter is None or not executor.is_lent:
        yield info, first, None
    if executor.is_lent:  # a GPU is lent only to models that are loaded at the start
        return
    models = models_folder()
    for card in MODELS:
        if card.is_installed(models):
            folder = card.folder(models)
            yield read_model_info(folder), folder, None


def _adapted(info: ModelInfo, adapter: Path) -> ModelInfo:
    """A model with an adapter, which is named after both folders."""
    labels = load_adapter(adapter).names(info.labels)
    return replace(info, name=f"{info.name}+{adapter.absolute().name}", labels=labels)


def _load_model(
    folder: Path, adapter: Path | None, device: torch.device, dtype: torch.dtype
) -> VARPipeline:
    """A model with its weights, laid out for drawing."""
    pipeline = VARPipeline.from_pretrained(folder, torch_dtype=dtype).to(device)
    if adapter is not None:
        pipeline = pipeline.with_adapter(adapter)
    pipeline.pack()
    return pipeline


def _load_clips(folder: Path, device: torch.device, dtype: torch.dtype) -> VARPipeline:
    """A model of clips with its weights, which nothing but `AnimateRequest` reaches."""
    pipeline = VARClipPipeline.from_pretrained(folder, torch_dtype=dtype).to(device)
    pipeline.pack()
    return cast(VARPipeline, pipeline)
