"""Models take turns in memory."""

import torch

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline
from var_core.serving.engine import Memory, size_of


def model() -> VARPipeline:
    return VARPipeline(make_tokenizer(), make_transformer(), make_labels())


def test_the_oldest_model_gives_way_where_there_is_no_room() -> None:
    loads: list[str] = []

    def load(name: str) -> object:
        return lambda dtype: loads.append(name) or model().to(dtype)

    size = size_of(model(), torch.float32)
    memory = Memory(2.5 * size)
    ask = [memory.pipeline(name, torch.float32, size, load(name)) for name in "abab"]
    assert loads == ["a", "b"] and ask[0] is ask[2]
    memory.pipeline("c", torch.float32, size, load("c"))
    assert memory.names() == ["b", "c"]
    memory.pipeline("a", torch.float32, size, load("a"))
    assert memory.names() == ["c", "a"] and loads == ["a", "b", "c", "a"]


def test_what_is_needed_is_loaded_even_if_it_is_too_large() -> None:
    size = size_of(model(), torch.float32)
    memory = Memory(size / 2)
    assert memory.pipeline("a", torch.float32, size, lambda dtype: model())
    memory.pipeline("b", torch.float32, size, lambda dtype: model())
    assert memory.names() == ["b"]  # one at a time
    assert size_of(model(), torch.bfloat16) == size / 2
