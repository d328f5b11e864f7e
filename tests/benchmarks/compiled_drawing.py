"""Drawing with compiled networks, which the product does not do: to see what it would bring.

The cache of keys and values and the attention itself stay as they are: the compiler would make a
form of its own for every place in the cache.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from unittest import mock

import torch

from tests.benchmarks.networks import recast
from var_core import VARPipeline
from var_core.transformer import attention_kernels, blocks
from var_core.transformer.kv_cache import KVCache


def compiled(pipeline: VARPipeline, compiler: str) -> VARPipeline:
    """A pipeline with the same weights, whose blocks and decoder are compiled once they are used.

    Args:
        pipeline: on the device, in the dtype to draw with.
        compiler: backend of `torch.compile`.
    """
    twin = recast(pipeline, pipeline.transformer.dtype)
    twin.packs = False
    for block in twin.transformer.each_block():  # all share their compiled forms
        block.compile(dynamic=True, backend=compiler)
    twin.tokenizer.decoder.compile(dynamic=False, backend=compiler)
    return twin


@contextlib.contextmanager
def breaks_at_attention() -> Iterator[None]:
    """What the compiled blocks of `compiled` have to be called in."""
    append, attention = _left_alone()
    with (
        mock.patch.object(KVCache, "append", append),
        mock.patch.object(blocks, "attention", attention),
        torch._dynamo.config.patch(recompile_limit=64),
    ):
        yield


@lru_cache(maxsize=1)
def _left_alone() -> tuple[Callable, Callable]:
    disable = torch.compiler.disable
    return disable(KVCache.append), disable(attention_kernels.attention)
