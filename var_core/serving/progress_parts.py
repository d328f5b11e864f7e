"""Sends the progress of a job in parts: each holds only what the one before it did not.

A drawing keeps the frames of all its scales, an edit its large picture; both would travel again
with every scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import cast

from var_core.jobs.progress import JobProgress, Request

GROWING = ("frames", "token_maps", "latents")


@dataclass(frozen=True)
class Part:
    """A progress without what is known.

    Attributes:
        progress: the progress; its growing fields hold what is new at their ends.
        kept: number of items of each growing field that are known.
        is_request_known: whether the request is that of the progress before, and left out.
    """

    progress: JobProgress
    kept: tuple[int, ...]
    is_request_known: bool


def shorten(progress: JobProgress, before: JobProgress) -> Part:
    """Leave out what an earlier progress of the same job holds already."""
    kept = tuple(_num_same(getattr(progress, name), getattr(before, name)) for name in GROWING)
    new = {name: getattr(progress, name)[count:] for name, count in zip(GROWING, kept, strict=True)}
    is_known = progress.request is before.request
    request = cast(Request, None) if is_known else progress.request
    return Part(replace(progress, request=request, **new), kept, is_known)


def lengthen(part: Part, before: JobProgress) -> JobProgress:
    """The progress that a part was made of."""
    fields = {
        name: (*getattr(before, name)[:count], *getattr(part.progress, name))
        for name, count in zip(GROWING, part.kept, strict=True)
    }
    request = before.request if part.is_request_known else part.progress.request
    return replace(part.progress, request=request, **fields)


def _num_same(items: Sequence[object], others: Sequence[object]) -> int:
    """Number of items at the beginning that are the very same objects."""
    pairs = zip(items, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], pairs))
