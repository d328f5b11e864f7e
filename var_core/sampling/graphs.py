"""Drawings recorded as CUDA graphs: a scale is one launch instead of some hundred."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from var_core.sampling.options import SamplingOptions
from var_core.sampling.sampler import Drawing, Drawn

MAX_RECORDINGS = 4  # each keeps keys and values of its own
Key = tuple[int, tuple[int, ...], SamplingOptions, str, int]


class Tape(Protocol):
    """Records one call, whose operands stay where they are, and repeats it."""

    def record(self, call: Callable[[], Drawn], generators: list[torch.Generator]) -> Drawn:
        """Record; the result is what each replay overwrites, and holds nothing before the first.

        Args:
            call: what to record.
            generators: generators that it draws from.
        """
        ...

    def replay(self) -> None:
        """Do it again."""
        ...


class CudaTape:
    """A CUDA graph.

    Args:
        make_pool: handle of the memory that holds intermediate results, shared with other tapes.
    """

    def __init__(self, make_pool: Callable[[], Any]) -> None:
        self._make_pool = make_pool
        self._graph = torch.cuda.CUDAGraph()

    def record(self, call: Callable[[], Drawn], generators: list[torch.Generator]) -> Drawn:
        """As `Tape.record`."""
        for generator in generators:
            self._graph.register_generator_state(generator)
        with torch.cuda.graph(self._graph, pool=self._make_pool()):
            return call()

    def replay(self) -> None:
        """As `Tape.replay`."""
        self._graph.replay()


class CudaTapes:
    """Makes CUDA graphs that share the memory of their intermediate results."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self) -> CudaTape:
        """A new tape."""
        return CudaTape(self._shared_pool)

    def _shared_pool(self) -> Any:
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        return self._pool


class Recording:
    """One drawing, scale by scale, that can be repeated with other conditions and seeds.

    Args:
        drawing: the first one; its embedded condition, cache and generators are taken over.
        make_tape: makes a tape for one scale.
    """

    def __init__(self, drawing: Drawing, make_tape: Callable[[], Tape]) -> None:
        self._make_tape = make_tape
        self._drawing = drawing
        self._given = list(drawing.generators)
        drawing.generators = [torch.Generator(one.device) for one in self._given]
        self._latent = drawing.quantizer.empty_latent(drawing.num_images)
        self._tapes: dict[int, tuple[Tape, Drawn]] = {}
        self._turn: weakref.ref[Turn] | None = None

    @property
    def is_free(self) -> bool:
        """Whether no drawing uses it, whose keys and values another one would overwrite."""
        return self._turn is None or self._turn() is None

    def follow(self, drawing: Drawing) -> "Turn":
        """As `Recorder.follow`; the drawing must be of the same key, and the recording free."""
        if drawing is not self._drawing:
            self._given = list(drawing.generators)
            _overwrite(self._drawing.embedded, drawing.embedded)
            drawing.cache = self._drawing.cache
        self._drawing.cache.fill_to(0)
        turn = Turn(self)
        self._turn = weakref.ref(turn)
        return turn

    def draw_scale(self, scale_index: int, latent: Tensor) -> Drawn:
        """As `Drawing.draw_scale`."""
        own = self._drawing.generators
        for inner, given in zip(own, self._given, strict=True):
            inner.set_state(given.get_state())
        self._latent.copy_(latent)
        if scale_index not in self._tapes:
            self._tapes[scale_index] = self._record(scale_index)
        tape, drawn = self._tapes[scale_index]
        tokens = self._drawing.transformer.sequence_range(scale_index)
        self._drawing.cache.fill_to(tokens.start)
        tape.replay()
        self._drawing.cache.fill_to(tokens.stop)
        for inner, given in zip(own, self._given, strict=True):
            given.set_state(inner.get_state())
        return Drawn(*(part.clone() for part in drawn))  # which the next drawing overwrites

    def _record(self, scale_index: int) -> tuple[Tape, Drawn]:
        drawing, generators = self._drawing, list(self._drawing.generators)
        start = drawing.transformer.sequence_range(scale_index).start
        states = [generator.get_state() for generator in generators]
        drawing.draw_scale(scale_index, self._latent)  # libraries choose their kernels here
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        drawing.cache.fill_to(start)
        tape = self._make_tape()
        return tape, tape.record(lambda: drawing.draw_scale(scale_index, self._latent), generators)


class Turn:
    """The use of a recording by one drawing, which ends when nobody holds it any more."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __call__(self, scale_index: int, latent: Tensor) -> Drawn:
        """As `Drawing.draw_scale`."""
        return self._recording.draw_scale(scale_index, latent)


class GraphRecorder:
    """Recordings by what a drawing's shapes and constants depend on; the oldest ones give way.

    It serves one pair of networks. A drawing that begins while another one of its kind is under
    way, in this thread or another, is computed.

    Args:
        make_tape: makes CUDA graphs (the default), or something that behaves like them.
    """

    def __init__(self, make_tape: Callable[[], Tape] | None = None) -> None:
        self._make_tape = CudaTapes() if make_tape is None else make_tape
        self._recordings: OrderedDict[Key, Recording] = OrderedDict()
        self._lock = threading.Lock()

    def follow(self, drawing: Drawing) -> Callable[[int, Tensor], Drawn]:
        """What to call instead of `drawing.draw_scale`; the first time it records."""
        rows = tuple(drawing.guided.tolist())
        weights = drawing.transformer.head.weight.data_ptr()  # elsewhere once they have been moved
        key = (drawing.num_images, rows, drawing.options, drawing.backend, weights)
        with self._lock:
            if key not in self._recordings:
                self._recordings[key] = Recording(drawing, self._make_tape)
            self._recordings.move_to_end(key)
            while len(self._recordings) > MAX_RECORDINGS:
                self._recordings.popitem(last=False)
            recording = self._recordings[key]
            return recording.follow(drawing) if recording.is_free else drawing.draw_scale


def _overwrite(kept: object, fresh: object) -> None:
    """Copy all tensors of nested tuples into those of another one."""
    if isinstance(kept, Tensor) and isinstance(fresh, Tensor):
        kept.copy_(fresh)
    elif isinstance(kept, tuple) and isinstance(fresh, tuple):
        for one, other in zip(kept, fresh, strict=True):
            _overwrite(one, other)
