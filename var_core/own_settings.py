"""Keeps the settings of a caller out: autocast and the default device.

Networks compute in the dtype of their weights. Autocast would convert the inputs of packed weights,
whose kernels take no other dtype, and sums over scales, which must stay float32. Tensors are made
where they are needed, whatever device others make theirs on. A seed is the same picture inside of
these settings and outside.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ParamSpec, TypeVar, cast

import torch

DEVICE_TYPES = ("cpu", "cuda")
Given = ParamSpec("Given")
Result = TypeVar("Result")


def in_own_settings(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Decorator: a function, or each step of a generator function, runs without these settings."""
    if inspect.isgeneratorfunction(function):
        return cast(Callable[Given, Result], _each_step(function))

    @functools.wraps(function)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with _own_settings():
            return function(*args, **kwargs)

    return called


def _each_step(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @functools.wraps(function)
    def stepped(*args: object, **kwargs: object) -> Iterator[Any]:
        steps = function(*args, **kwargs)
        while True:
            with _own_settings():  # left before the caller goes on
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step

    return stepped


def _own_settings() -> ExitStack:
    stack = ExitStack()
    for device_type in DEVICE_TYPES:
        if torch.is_autocast_enabled(device_type):
            stack.enter_context(torch.autocast(device_type, enabled=False))
    if torch.get_default_device().type != "cpu":  # each call costs more inside of such a context
        stack.enter_context(torch.device("cpu"))
    return stack
