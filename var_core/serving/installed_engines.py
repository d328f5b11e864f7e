"""Builds the engines of a server: one for each installed model, of the kind `LocalEngine`.

They share one queue, one cache and one executor. Another kind of engine, a class with the methods
of `Engine` (`engine.py`) in a file like `local_engine.py`, is built here in `started_engines`, as
the one of `ray_engine.py` is.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from var_core.serving.replica_settings import ReplicaSettings

MEMORY_SHARE = 0.5  # share of the machine's memory for the weights of all models together
Load = Callable[[torch.dtype], VARPipeline]


@dataclass(frozen=True)
class ModelFolders:
    """What a server draws with, besides the installed models.

    Attributes:
        first: model folder of the first engine.
        clips: folder of a model of clips, which animates for all engines; None for none.
        adapter: folder of an adapter of the first model; with it, that is one more model.
    """

    first: Path
    clips: Path | None = None
    adapter: Path | None = None

    def absolute(self) -> "ModelFolders":
        """The same folders, wherever a process starts."""
        others = (None if one is None else one.absolute() for one in (self.clips, self.adapter))
        return ModelFolders(self.first.absolute(), *others)


@contextlib.contextmanager
def started_engines(
    folders: ModelFolders,
    precision: str,
    executor: Executor,
    metrics: JobMetrics,
    queue: FairQueue,
    replicas: ReplicaSettings | None = None,
) -> Iterator[list[Engine]]:
    """The engines of a server, in this process or on replicas, which end with it.

    Args:
        folders: models of the server.
        precision: what the precision "auto" of a request means, one of PRECISIONS.
        executor: decides where the networks of this process run.
        metrics: counts how jobs end.
        queue: decides who draws next.
        replicas: replicas that draw, through Ray; None draws in this process.

    Raises:
        ValueError: as `make_engines`, or if there can be no such replicas.
    """
    if replicas is None:
        how = precision, executor, metrics, queue, folders.clips, folders.adapter
        yield make_engines(folders.first, *how)
        return
    if executor.is_lent:
        raise ValueError("a lent GPU has no replicas: leave --engine out")
    try:
        from var_core.serving.ray_engine import make_ray_engines
    except ImportError as error:
        raise ValueError(
            "--engine ray needs the package Ray: pip install '.[ray]' in VAR Studio's checkout"
        ) from error
    with make_ray_engines(folders, precision, metrics, queue, replicas) as engines:
        yield engines


def with_threads(load: Load, threads_of: Callable[[int], int | None]) -> Load:
    """A loader whose tokenizers have their number of threads.

    Args:
        load: loads a model in a dtype.
        threads_of: number of threads of a tokenizer with so many parameters, as
            `Executor.tokenizer_threads`.
    """

    def load_here(dtype: torch.dtype) -> VARPipeline:
        pipeline = load(dtype)
        tokenizer = pipeline.tokenizer
        tokenizer.num_threads = threads_of(tokenizer.num_parameters())
        return pipeline

    return load_here


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
    dtype, cache = pick_dtype(device, precision), new_cache()

    def make(info: ModelInfo, load: Load) -> LocalEngine:
        return LocalEngine(
            info,
            with_threads(load, executor.tokenizer_threads),
            queue=queue,
            metrics=metrics,
            cache=cache,
            executor=executor,
            device=device,
            dtype=dtype,
        )

    return assemble(ModelFolders(first, clips, adapter), device, executor.is_lent, make)


def assemble(
    folders: ModelFolders,
    device: torch.device,
    is_lent: bool,
    make: Callable[[ModelInfo, Load], LocalEngine],
) -> list[Engine]:
    """Engines of all models, each with the animator of the server.

    Args:
        folders: models of the server.
        device: device of their pipelines.
        is_lent: whether only the given models count, as a lent GPU has no others.
        make: builds the engine of a model.
    """
    models = installed_models(folders, device, is_lent)
    engines = [make(info, load) for info, load in models]
    animator = clip_model(folders, device)
    if animator is not None:
        info, load = animator
        if is_lent or info.name in [one.name for one, _ in models]:
            told = "is not for a lent GPU" if is_lent else "has the name of another model"
            raise ValueError(f"the model of clips {folders.clips} {told}")
        made = make(info, load)
        for engine in engines:
            engine.animator = made
    return list[Engine](engines)


def new_cache() -> ModelCache:
    """Room for the models of this process."""
    return ModelCache(MEMORY_SHARE * psutil.virtual_memory().total)


def installed_models(
    folders: ModelFolders, device: torch.device, is_lent: bool = False
) -> list[tuple[ModelInfo, Load]]:
    """All models of pictures, the first one first, each with what loads it in a dtype."""
    found: dict[str, tuple[ModelInfo, Load]] = {}
    for info, folder, added in _models(folders.first, folders.adapter, is_lent):
        found.setdefault(info.name, (info, partial(_load_model, folder, added, device)))
    return list(found.values())


def check_models(folders: ModelFolders) -> None:
    """Check what processes elsewhere are to load, before any is started.

    Raises:
        ValueError: if a folder is missing, damaged or of the wrong kind, or the adapter belongs to
            another model.
    """
    device = torch.device("cpu")
    (_, load), *_ = installed_models(folders, device)
    clip_model(folders, device)
    if folders.adapter is not None:  # only the weights tell whether it belongs to them
        load(torch.float32)


def clip_model(folders: ModelFolders, device: torch.device) -> tuple[ModelInfo, Load] | None:
    """The model of clips, with what loads it; None where there is none."""
    if folders.clips is None:
        return None
    return read_model_info(folders.clips, CLIPS), partial(_load_clips, folders.clips, device)


def _models(
    first: Path, adapter: Path | None, is_lent: bool
) -> Iterator[tuple[ModelInfo, Path, Path | None]]:
    """All models, each with its folder and adapter."""
    info = read_model_info(first)
    if adapter is not None:
        yield _adapted(info, adapter), first, adapter
    if adapter is None or not is_lent:
        yield info, first, None
    if is_lent:  # a GPU is lent only to models that are loaded at the start
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
