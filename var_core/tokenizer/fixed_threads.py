"""Encodes and decodes with a fixed number of threads, for the same bytes under any load.

Some kernels of a processor divide their sums among threads (normalisation and attention over large
maps, transposed convolutions in bfloat16): with another number of threads the last bits differ, and
now and then a pixel by one grey level. Those of the transformer do not.
"""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import torch


class HasThreads(Protocol):
    """What has such methods."""

    num_threads: int | None


Owner = TypeVar("Owner", bound=HasThreads)
Given = ParamSpec("Given")
Result = TypeVar("Result")


def in_fixed_threads(
    method: Callable[Concatenate[Owner, Given], Result],
) -> Callable[Concatenate[Owner, Given], Result]:
    """Decorator: a method runs in `num_threads` threads of the processor; None: in all there are.

    Only the thread of the caller is concerned, and it has its number back afterwards.
    """

    @functools.wraps(method)
    def called(owner: Owner, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        before, count = torch.get_num_threads(), owner.num_threads
        if count is None or count == before:
            return method(owner, *args, **kwargs)
        torch.set_num_threads(count)
        try:
            return method(owner, *args, **kwargs)
        finally:
            torch.set_num_threads(before)

    return called
